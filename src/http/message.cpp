#include "http/message.h"

#include "base/check.h"
#include "base/text.h"
#include "http/internal/characters.h"

namespace roadstead::http {
namespace {

// One allocation holds the header block of nearly every answer.
constexpr std::size_t kHeaderBlockReserve = 384;

bool is_clean(std::string_view text) {
  if (is_field_value(text)) {
    return true;  // The usual case, and quicker to see.
  }
  for (const char c : text) {
    if (c == '\r' || c == '\n' || c == '\0') {
      return false;
    }
  }
  return true;
}

}  // namespace

std::string_view to_string(Method method) {
  switch (method) {
    case Method::kGet:
      return "GET";
    case Method::kHead:
      return "HEAD";
    case Method::kPost:
      return "POST";
    case Method::kPut:
      return "PUT";
    case Method::kPatch:
      return "PATCH";
    case Method::kDelete:
      return "DELETE";
    case Method::kOptions:
      return "OPTIONS";
    case Method::kOther:
      return "OTHER";
  }
  return "OTHER";
}

std::optional<std::string_view> Request::header(std::string_view name) const {
  for (const HeaderField& field : headers) {
    if (equals_ignoring_case(field.name, name)) {
      return field.value;
    }
  }
  return std::nullopt;
}

Response& Response::add_header(std::string_view name, std::string_view value) {
  CHECK(!name.empty() && is_clean(name) && is_clean(value));
  if (headers_.empty()) {
    headers_.reserve(kHeaderBlockReserve);
  }
  headers_.append(name).append(": ").append(value).append("\r\n");
  return *this;
}

Response& Response::set_body(std::string bytes, std::string_view content_type) {
  body_ = std::move(bytes);
  return add_header("Content-Type", content_type);
}

Response& Response::set_body(FileRegion region, std::string_view content_type) {
  CHECK(region.file != nullptr);
  body_ = std::move(region);
  return add_header("Content-Type", content_type);
}

Response& Response::set_body(std::unique_ptr<BodySource> source, std::string_view content_type) {
  CHECK(source != nullptr);
  body_ = std::move(source);
  return add_header("Content-Type", content_type);
}

Response& Response::set_length_only(std::uint64_t length, std::string_view content_type) {
  length_only_ = length;
  return add_header("Content-Type", content_type);
}

Response& Response::set_etag(std::string_view etag) {
  etag_ = etag;
  return add_header("ETag", etag);
}

Response& Response::allow_ranges() {
  ranges_ = true;
  return add_header("Accept-Ranges", "bytes");
}

Response& Response::close_connection() {
  close_ = true;
  return *this;
}

std::optional<std::string_view> Response::header(std::string_view name) const {
  std::string_view rest = headers_;
  while (!rest.empty()) {
    const std::size_t end = rest.find("\r\n");
    const std::string_view line = rest.substr(0, end);
    const std::size_t colon = line.find(':');
    if (equals_ignoring_case(line.substr(0, colon), name)) {
      return trim(line.substr(colon + 1));
    }
    rest.remove_prefix(end + 2);
  }
  return std::nullopt;
}

std::uint64_t Response::content_length() const {
  if (length_only_) {
    return *length_only_;
  }
  if (const auto* text = std::get_if<std::string>(&body_)) {
    return text->size();
  }
  if (const auto* region = std::get_if<FileRegion>(&body_)) {
    return region->length;
  }
  if (const auto* source = std::get_if<std::unique_ptr<BodySource>>(&body_)) {
    return *source ? (*source)->length() : 0;
  }
  return 0;
}

}  // namespace roadstead::http
