#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace roadstead::http {

/// Decodes a chunked body (RFC 9112 section 7.1) piece by piece. Strict: CRLF only, at most 15 hex
/// digits, extensions and trailers bounded and thrown away.
class ChunkedDecoder {
 public:
  struct Progress {
    std::size_t consumed = 0;  ///< Bytes of `input` used up; less than all only at the end.
    std::size_t produced = 0;  ///< Bytes written to `output`.
  };

  /// `output` needs room for input.size() bytes and may be the start of `input` itself.
  Progress decode(std::span<const char> input, char* output);
  [[nodiscard]] bool finished() const { return state_ == State::kFinished; }
  [[nodiscard]] bool failed() const { return state_ == State::kFailed; }
  void reset() { *this = ChunkedDecoder(); }

 private:
  enum class State : std::uint8_t {
    kSize,
    kExtension,
    kSizeLf,
    kData,
    kDataCr,
    kDataLf,
    kTrailerStart,
    kTrailer,
    kTrailerLf,
    kEndLf,
    kFinished,
    kFailed
  };
  void step(char c);
  State on_size(char c);
  State on_size_end() const;

  std::uint64_t remaining_ = 0;
  std::uint32_t digits_ = 0;
  std::uint32_t overhead_ = 0;  ///< Extension and trailer bytes of the whole body.
  State state_ = State::kSize;
};

}  // namespace roadstead::http
