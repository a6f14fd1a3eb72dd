#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace roadstead::bench {

/// What a workload may look at in an answer.
struct Response {
  int status = 0;
  uint64_t body_size = 0;
  std::string location;
  std::string content_digest;
  std::string link;
  std::string body;  // Only when kept; see ResponseReader::expect.
  bool close = false;
  bool retry_after = false;  // Whether there was such a field.
};

enum class Keep { kNothing, kBody };

/// Incremental parser of one HTTP/1.1 answer after another. Strict enough for a benchmark: every
/// answer must be framed (Content-Length, chunked, or end of connection), else it is an error.
class ResponseReader {
 public:
  static constexpr size_t kHeadSizeMax = size_t{64} << 10;
  static constexpr size_t kKeptSizeMax = size_t{16} << 20;

  /// Receives body bytes as they arrive, before `feed` returns.
  class Sink {
   public:
    virtual ~Sink() = default;
    virtual void on_body(std::string_view bytes) = 0;
  };

  /// Prepares for the answer to a request; `head` when that was a HEAD request.
  void expect(bool head, Keep keep, Sink* sink);
  /// Consumes bytes; false on malformed input, see error().
  [[nodiscard]] bool feed(std::string_view bytes);
  /// The connection ended: completes an answer framed by its end; false when it was cut short.
  [[nodiscard]] bool end();

  [[nodiscard]] bool started() const { return state_ != State::kHead || !head_text_.empty(); }
  [[nodiscard]] bool complete() const { return state_ == State::kComplete; }
  [[nodiscard]] const Response& response() const { return response_; }
  [[nodiscard]] const char* error() const { return error_; }

 private:
  enum class State { kHead, kFixed, kUntilClose, kChunkLine, kChunkData, kChunkEnd, kComplete };

  bool fail(const char* why) {
    error_ = why;
    return false;
  }
  bool feed_head(std::string_view& bytes);
  bool feed_fixed(std::string_view& bytes);
  bool feed_chunked(std::string_view& bytes);
  bool take_line(std::string_view& bytes);
  bool parse_head(std::string_view text);
  bool parse_field(std::string_view name, std::string_view value);
  bool begin_chunk();
  void take_body(std::string_view bytes);

  State state_ = State::kHead;
  bool head_request_ = false;
  bool chunked_ = false;
  bool has_length_ = false;
  Keep keep_ = Keep::kNothing;
  Sink* sink_ = nullptr;
  uint64_t left_ = 0;
  std::string head_text_;
  std::string line_;
  Response response_;
  const char* error_ = "";
};

}  // namespace roadstead::bench
