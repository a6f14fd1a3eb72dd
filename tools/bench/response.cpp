#include "response.h"

#include <algorithm>
#include <charconv>

#include "base/text.h"

namespace roadstead::bench {
namespace {

/// Like trim(), and the CR of a line end.
std::string_view trimmed(std::string_view text) {
  text = trim(text);
  return text.ends_with('\r') ? trim(text.substr(0, text.size() - 1)) : text;
}

bool parse_number(std::string_view text, int base, uint64_t& into) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), into, base);
  return error == std::errc{} && end == text.data() + text.size();
}

}  // namespace

void ResponseReader::expect(bool head, Keep keep, Sink* sink) {
  state_ = State::kHead;
  head_request_ = head;
  chunked_ = false;
  has_length_ = false;
  keep_ = keep;
  sink_ = sink;
  left_ = 0;
  head_text_.clear();
  line_.clear();
  response_.status = 0;
  response_.body_size = 0;
  response_.location.clear();
  response_.content_digest.clear();
  response_.link.clear();
  response_.body.clear();
  response_.close = false;
  response_.retry_after = false;
}

bool ResponseReader::feed(std::string_view bytes) {
  while (!bytes.empty()) {
    bool good = true;
    switch (state_) {
      case State::kHead:
        good = feed_head(bytes);
        break;
      case State::kFixed:
      case State::kUntilClose:
        good = feed_fixed(bytes);
        break;
      case State::kChunkLine:
      case State::kChunkData:
      case State::kChunkEnd:
        good = feed_chunked(bytes);
        break;
      case State::kComplete:
        return fail("bytes after the end of the answer");
    }
    if (!good) {
      return false;
    }
  }
  return true;
}

bool ResponseReader::end() {
  if (state_ == State::kUntilClose) {
    state_ = State::kComplete;
  }
  return state_ == State::kComplete || fail("connection closed in the middle of an answer");
}

bool ResponseReader::feed_head(std::string_view& bytes) {
  // Usually the whole head arrives at once and is parsed where it lies.
  const auto at_once = head_text_.empty() ? bytes.find("\r\n\r\n") : std::string_view::npos;
  if (at_once != std::string_view::npos) {
    const auto head = bytes.substr(0, at_once + 2);
    bytes.remove_prefix(at_once + 4);
    return parse_head(head);
  }
  const size_t before = head_text_.size();
  head_text_.append(bytes);
  const auto end = head_text_.find("\r\n\r\n", before < 3 ? 0 : before - 3);
  if (end == std::string::npos) {
    bytes = {};
    return head_text_.size() <= kHeadSizeMax || fail("answer head too large");
  }
  bytes.remove_prefix(end + 4 - before);
  std::string head = std::move(head_text_);
  head_text_.clear();
  head.resize(end + 2);
  return parse_head(head);
}

bool ResponseReader::parse_head(std::string_view text) {
  uint64_t status = 0;
  if (text.size() < 12 || !text.starts_with("HTTP/1.") ||
      !parse_number(text.substr(9, 3), 10, status)) {
    return fail("not an HTTP/1.x answer");
  }
  if (status < 200) {
    return true;  // 100 Continue and the like: the real answer follows.
  }
  response_.status = static_cast<int>(status);
  text.remove_prefix(text.find("\r\n") + 2);
  while (!text.empty()) {
    const auto end = text.find("\r\n");
    const auto line = text.substr(0, end);
    const auto colon = line.find(':');
    if (colon == std::string_view::npos ||
        !parse_field(line.substr(0, colon), trimmed(line.substr(colon + 1)))) {
      return fail("bad header field");
    }
    text.remove_prefix(end + 2);
  }
  if (head_request_ || status == 204 || status == 304) {
    state_ = State::kComplete;
  } else if (chunked_) {
    state_ = State::kChunkLine;
  } else if (has_length_) {
    state_ = left_ == 0 ? State::kComplete : State::kFixed;
  } else {
    state_ = State::kUntilClose;
    response_.close = true;
  }
  return true;
}

bool ResponseReader::parse_field(std::string_view name, std::string_view value) {
  if (equals_ignoring_case(name, "content-length")) {
    has_length_ = true;
    response_.body_size = 0;
    return parse_number(value, 10, left_);
  }
  if (equals_ignoring_case(name, "transfer-encoding")) {
    chunked_ = equals_ignoring_case(value, "chunked");
    return chunked_;
  }
  if (equals_ignoring_case(name, "connection")) {
    response_.close = equals_ignoring_case(value, "close");
  } else if (equals_ignoring_case(name, "location")) {
    response_.location = value;
  } else if (equals_ignoring_case(name, "docker-content-digest")) {
    response_.content_digest = value;
  } else if (equals_ignoring_case(name, "link")) {
    response_.link = value;
  } else if (equals_ignoring_case(name, "retry-after")) {
    response_.retry_after = true;
  }
  return true;
}

bool ResponseReader::feed_fixed(std::string_view& bytes) {
  if (state_ == State::kUntilClose) {
    take_body(bytes);
    bytes = {};
    return true;
  }
  const auto part = bytes.substr(0, std::min<uint64_t>(bytes.size(), left_));
  take_body(part);
  bytes.remove_prefix(part.size());
  left_ -= part.size();
  if (left_ == 0) {
    state_ = State::kComplete;
  }
  return true;
}

bool ResponseReader::take_line(std::string_view& bytes) {
  const auto end = bytes.find('\n');
  line_.append(bytes.substr(0, end));
  bytes.remove_prefix(end == std::string_view::npos ? bytes.size() : end + 1);
  return end != std::string_view::npos;
}

bool ResponseReader::begin_chunk() {
  const auto size_text = trimmed(std::string_view(line_).substr(0, line_.find(';')));
  if (!parse_number(size_text, 16, left_)) {
    return fail("bad chunk size");
  }
  line_.clear();
  state_ = left_ == 0 ? State::kChunkEnd : State::kChunkData;
  return true;
}

bool ResponseReader::feed_chunked(std::string_view& bytes) {
  if (state_ == State::kChunkData) {
    const auto part = bytes.substr(0, std::min<uint64_t>(bytes.size(), left_));
    take_body(part);
    bytes.remove_prefix(part.size());
    left_ -= part.size();
    if (left_ == 0) {
      state_ = State::kChunkLine;
      line_ = "-";  // The line end that closes a chunk is still to come.
    }
    return true;
  }
  if (!take_line(bytes)) {
    return line_.size() <= 1024 || fail("chunk line too long");
  }
  if (state_ == State::kChunkEnd) {
    // Trailers are ignored up to the empty line.
    if (trimmed(line_).empty()) {
      state_ = State::kComplete;
    }
    line_.clear();
    return true;
  }
  if (!line_.empty() && line_.front() == '-') {
    line_.clear();
    return true;
  }
  return begin_chunk();
}

void ResponseReader::take_body(std::string_view bytes) {
  response_.body_size += bytes.size();
  if (keep_ == Keep::kBody && response_.body.size() + bytes.size() <= kKeptSizeMax) {
    response_.body.append(bytes);
  }
  if (sink_ != nullptr) {
    sink_->on_body(bytes);
  }
}

}  // namespace roadstead::bench
