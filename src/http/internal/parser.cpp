#include "http/internal/parser.h"

#include <cstring>

#include "base/text.h"
#include "http/internal/characters.h"

namespace roadstead::http {
namespace {

constexpr std::size_t kEmptyLinesMax = 2;  // RFC 9112 section 2.2 asks to skip at least one.
constexpr std::uint64_t kLengthMax = std::uint64_t{1} << 62U;

Method method_of(std::string_view name) {
  switch (name.size()) {
    case 3:
      return name == "GET" ? Method::kGet : name == "PUT" ? Method::kPut : Method::kOther;
    case 4:
      return name == "HEAD" ? Method::kHead : name == "POST" ? Method::kPost : Method::kOther;
    case 5:
      return name == "PATCH" ? Method::kPatch : Method::kOther;
    case 6:
      return name == "DELETE" ? Method::kDelete : Method::kOther;
    case 7:
      return name == "OPTIONS" ? Method::kOptions : Method::kOther;
    default:
      return Method::kOther;
  }
}

/// The part of "http://host:port/path" behind the scheme, or nothing.
std::optional<std::string_view> after_scheme(std::string_view target) {
  for (const std::string_view scheme :
       {std::string_view("http://"), std::string_view("https://")}) {
    if (equals_ignoring_case(target.substr(0, scheme.size()), scheme)) {
      return target.substr(scheme.size());
    }
  }
  return std::nullopt;
}

}  // namespace

HeadParser::State HeadParser::refuse(int status, std::string_view reason) {
  refusal_ = {status, reason};
  return State::kRefused;
}

/// A refusal before the head is whole: reads the start line if it is there, so that the log says
/// what was refused.
HeadParser::State HeadParser::refuse_early(std::string_view received, int status,
                                           std::string_view reason, Head& head) {
  const std::size_t end = received.find("\r\n", start_);
  if (end != std::string_view::npos) {
    parse_start_line(received.substr(start_, end - start_), head);
  }
  return refuse(status, reason);
}

HeadParser::State HeadParser::feed(std::string_view received, const HeadLimits& limits, Head& head,
                                   std::vector<HeaderField>& fields) {
  while (const void* found =
             std::memchr(received.data() + searched_, '\n', received.size() - searched_)) {
    const auto end = static_cast<std::size_t>(static_cast<const char*>(found) - received.data());
    if (end == scanned_ || received[end - 1] != '\r') {
      return refuse_early(received, 400, "line ends without CR", head);
    }
    const bool empty = end - 1 == scanned_;
    const bool leading = empty && scanned_ == start_;
    scanned_ = end + 1;
    searched_ = scanned_;
    if (leading) {
      start_ = scanned_;
      if (start_ > 2 * kEmptyLinesMax) {
        return refuse(400, "empty lines before the request line");
      }
    } else if (scanned_ > limits.bytes_max) {
      return refuse_early(received, 431, "header section too large", head);
    } else if (empty) {
      return parse(received, limits, head, fields);
    }
    if (searched_ == received.size()) {
      break;
    }
  }
  searched_ = received.size();
  // What cannot become a method (a TLS handshake, say) is refused without waiting for a line.
  if (received.size() > start_ && received[start_] != '\r' &&
      !is_in(received[start_], kTokenCharacter)) {
    return refuse(400, "malformed request line");
  }
  // Still inside the start line: 64 bytes for method and version.
  if (scanned_ == start_ && received.size() - start_ > kTargetBytesMax + 64) {
    return refuse(414, "request target too long");
  }
  if (received.size() > limits.bytes_max) {
    return refuse_early(received, 431, "header section too large", head);
  }
  return State::kIncomplete;
}

HeadParser::State HeadParser::parse(std::string_view received, const HeadLimits& limits, Head& head,
                                    std::vector<HeaderField>& fields) {
  fields.clear();
  std::size_t line_start = start_;
  const auto next_line = [&] {
    const void* end = std::memchr(received.data() + line_start, '\n', received.size() - line_start);
    const auto past = static_cast<std::size_t>(static_cast<const char*>(end) - received.data()) + 1;
    const std::string_view line = received.substr(line_start, past - line_start - 2);
    line_start = past;
    return line;
  };

  if (!parse_start_line(next_line(), head)) {
    return State::kRefused;
  }
  for (std::string_view line = next_line(); !line.empty(); line = next_line()) {
    if (fields.size() == limits.fields_max) {
      return refuse(431, "too many header fields");
    }
    HeaderField field;
    if (!parse_field(line, field) || !interpret(field, head)) {
      return State::kRefused;
    }
    fields.push_back(field);
  }
  return conclude(head) ? State::kComplete : State::kRefused;
}

bool HeadParser::parse_start_line(std::string_view line, Head& head) {
  refusal_ = {400, "malformed request line"};
  const std::size_t first = line.find(' ');
  const std::size_t last = line.rfind(' ');
  if (first == std::string_view::npos || first == 0 || last <= first + 1) {
    return false;
  }
  const std::string_view method = line.substr(0, first);
  const std::string_view target = line.substr(first + 1, last - first - 1);
  const std::string_view version = line.substr(last + 1);
  if (method.size() > 32 || !all_in(method, kTokenCharacter)) {
    return false;
  }
  if (target.size() > kTargetBytesMax) {
    refusal_ = {414, "request target too long"};
    return false;
  }
  if (version.size() != 8 || version.substr(0, 5) != "HTTP/" || !is_digit(version[5]) ||
      version[6] != '.' || !is_digit(version[7])) {
    return false;
  }
  if (version[5] != '1') {
    refusal_ = {505, "HTTP version not supported"};
    return false;
  }
  head.method_name = method;
  head.method = method_of(method);
  version_1_1_ = version[7] != '0';
  return parse_target(target, head);
}

bool HeadParser::parse_target(std::string_view target, Head& head) {
  refusal_ = {400, "malformed request target"};
  if (!all_in(target, kTargetCharacter)) {
    return false;
  }
  if (target.front() != '/') {
    const auto rest = after_scheme(target);
    if (!rest) {
      return false;
    }
    const std::size_t slash = rest->find_first_of("/?");
    head.host = rest->substr(0, slash);
    absolute_form_ = true;
    if (head.host.empty() || !all_in(head.host, kHostCharacter)) {
      return false;
    }
    target = slash == std::string_view::npos ? "/" : rest->substr(slash);
    if (target.front() != '/') {
      return false;  // "http://host?query": legal, but nobody sends it and "/" would be missing.
    }
  }
  head.target = target;
  const std::size_t question = target.find('?');
  head.path = target.substr(0, question);
  head.query =
      question == std::string_view::npos ? std::string_view() : target.substr(question + 1);
  return true;
}

bool HeadParser::parse_field(std::string_view line, HeaderField& field) {
  if (line.front() == ' ' || line.front() == '\t') {
    refusal_ = {400, "folded header line"};
    return false;
  }
  std::size_t colon = 0;
  while (colon < line.size() && is_in(line[colon], kTokenCharacter)) {
    ++colon;
  }
  if (colon == 0 || colon == line.size() || line[colon] != ':') {
    refusal_ = {400, "malformed header name"};
    return false;
  }
  field.name = line.substr(0, colon);
  field.value = trim(line.substr(colon + 1));
  if (!is_field_value(field.value)) {
    refusal_ = {400, "control character in a header value"};
    return false;
  }
  return true;
}

/// Chooses by length first: most fields need one comparison.
bool HeadParser::interpret(const HeaderField& field, Head& head) {
  const auto is = [&](std::string_view name) { return equals_ignoring_case(field.name, name); };
  switch (field.name.size()) {
    case 4:
      if (is("host")) {
        ++hosts_;
        if (!all_in(field.value, kHostCharacter)) {
          refusal_ = {400, "malformed Host"};
          return false;
        }
        if (!absolute_form_) {
          head.host = field.value;
        }
      }
      return true;
    case 6:
      return !is("expect") || interpret_expectation(field.value, head);
    case 10:
      if (is("user-agent")) {
        head.user_agent = field.value;
      } else if (is("connection")) {
        interpret_connection(field.value);
      }
      return true;
    case 12:
      if (is("x-request-id") && head.request_id.empty()) {
        head.request_id = field.value;
      }
      return true;
    case 14:
      return !is("content-length") || interpret_length(field.value, head);
    case 17:
      return !is("transfer-encoding") || interpret_coding(field.value, head);
    default:
      return true;
  }
}

bool HeadParser::interpret_length(std::string_view value, Head& head) {
  const auto length = parse_uint64(value);
  if (head.content_length || !length || *length > kLengthMax) {
    refusal_ = {400, head.content_length ? "more than one Content-Length" : "bad Content-Length"};
    return false;
  }
  head.content_length = length;
  return true;
}

bool HeadParser::interpret_coding(std::string_view value, Head& head) {
  if (++codings_ > 1) {
    refusal_ = {400, "more than one Transfer-Encoding"};
    return false;
  }
  if (!equals_ignoring_case(value, "chunked")) {
    refusal_ = {501, "unknown Transfer-Encoding"};
    return false;
  }
  head.chunked = true;
  return true;
}

bool HeadParser::interpret_expectation(std::string_view value, Head& head) {
  if (!equals_ignoring_case(value, "100-continue")) {
    refusal_ = {417, "unknown expectation"};
    return false;
  }
  head.expect_continue = true;
  return true;
}

void HeadParser::interpret_connection(std::string_view value) {
  while (!value.empty()) {
    const std::size_t comma = value.find(',');
    close_ = close_ || equals_ignoring_case(trim(value.substr(0, comma)), "close");
    value = comma == std::string_view::npos ? std::string_view() : value.substr(comma + 1);
  }
}

bool HeadParser::conclude(Head& head) {
  if (hosts_ > 1 || (hosts_ == 0 && version_1_1_)) {
    refusal_ = {400, hosts_ > 1 ? "more than one Host" : "Host is missing"};
    return false;
  }
  if (head.chunked && (head.content_length || !version_1_1_)) {
    refusal_ = {400, head.content_length ? "Content-Length and Transfer-Encoding"
                                         : "Transfer-Encoding in HTTP/1.0"};
    return false;
  }
  head.keep_alive = version_1_1_ && !close_;
  head.expect_continue = head.expect_continue && version_1_1_;
  refusal_ = {};
  return true;
}

}  // namespace roadstead::http
