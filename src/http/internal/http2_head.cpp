#include "http/internal/http2_head.h"

#include "base/text.h"
#include "http/internal/characters.h"

namespace roadstead::http {
namespace {

constexpr std::size_t kFieldOverhead = 32;  // RFC 9113 section 6.5.2.

}  // namespace

void Http2Head::begin(ByteBuffer& text, const HeadLimits& limits) {
  text_ = &text;
  limits_ = limits;
  bytes_ = 0;
  fields_ = 0;
  started_ = false;
  refused_ = false;
  method_.clear();
  path_.clear();
  authority_.clear();
  refusal_ = {};
}

void Http2Head::refuse(int status, std::string_view reason) {
  if (!refused_) {
    refused_ = true;
    refusal_ = {status, reason};
  }
}

void Http2Head::add(std::string_view name, std::string_view value) {
  bytes_ += name.size() + value.size() + kFieldOverhead;
  if (bytes_ > limits_.bytes_max) {
    refuse(431, "header section too large");
    return;
  }
  if (!name.empty() && name.front() == ':') {
    add_pseudo(name, value);
    return;
  }
  if (++fields_ > limits_.fields_max) {
    refuse(431, "too many header fields");
    return;
  }
  if (name.empty() || !all_in(name, kTokenCharacter) || !is_field_value(value)) {
    refuse(400, "malformed header field");
    return;
  }
  if (name == "host" && !authority_.empty()) {
    if (!equals_ignoring_case(value, authority_)) {
      refuse(400, "Host and :authority differ");
    }
    return;
  }
  if (!started_) {
    write_start();
  }
  write_field(name, value);
}

/// A blank would shift the parts of the start line.
void Http2Head::add_pseudo(std::string_view name, std::string_view value) {
  if (!is_field_value(value) || value.find_first_of(" \t") != std::string_view::npos) {
    refuse(400, "malformed pseudo-header field");
  } else if (name == ":method") {
    method_ = value;
  } else if (name == ":path") {
    path_ = value;
  } else if (name == ":authority") {
    authority_ = value;
  }
}

void Http2Head::write_start() {
  started_ = true;
  if (path_.empty() || path_.front() != '/') {
    refuse(400, "malformed request target");
  }
  if (path_.size() > kTargetBytesMax) {
    refuse(414, "request target too long");
    path_.resize(kTargetBytesMax);
  }
  text_->append(method_);
  text_->append(" ");
  text_->append(path_);
  text_->append(" HTTP/1.1\r\n");
  if (!authority_.empty()) {
    write_field("host", authority_);
  }
}

void Http2Head::write_field(std::string_view name, std::string_view value) {
  text_->append(name);
  text_->append(": ");
  text_->append(value);
  text_->append("\r\n");
}

bool Http2Head::finish() {
  if (!started_) {
    write_start();
  }
  text_->append("\r\n");
  return !refused_;
}

}  // namespace roadstead::http
