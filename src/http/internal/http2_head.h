#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "http/internal/byte_buffer.h"
#include "http/internal/parser.h"

namespace roadstead::http {

/// Gathers the fields of one HTTP/2 request and writes them as the text of an HTTP/1.1 head, so
/// that one parser decides for both protocols what is a request. Nothing that could be read as
/// more than one line or one field gets into the text.
class Http2Head {
 public:
  /// Forgets what was gathered. The text goes to `text`, which is empty and outlives the head.
  void begin(ByteBuffer& text, const HeadLimits& limits);
  /// The next field, pseudo-header fields first. What is over a limit is counted, not kept.
  void add(std::string_view name, std::string_view value);
  /// Something about the fields was wrong.
  void refuse(int status, std::string_view reason);
  /// Ends the text. False when the head is refused; the text then holds the start line at most.
  bool finish();

  [[nodiscard]] const Refusal& refusal() const { return refusal_; }

 private:
  void add_pseudo(std::string_view name, std::string_view value);
  void write_start();
  void write_field(std::string_view name, std::string_view value);

  ByteBuffer* text_ = nullptr;
  HeadLimits limits_;
  std::size_t bytes_ = 0;   ///< As RFC 9113 counts them.
  std::size_t fields_ = 0;  ///< Without pseudo-header fields.
  bool started_ = false;
  bool refused_ = false;
  std::string method_;
  std::string path_;
  std::string authority_;
  Refusal refusal_;
};

}  // namespace roadstead::http
