#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "http/internal/conditional.h"
#include "http/internal/read_ahead.h"
#include "http/internal/transport.h"
#include "http/message.h"

namespace roadstead::http {

/// What the edge adds to an answer.
struct Framing {
  std::string_view date;  ///< The whole line "Date: …\r\n".
  std::string_view request_id;
  bool head_only = false;  ///< HEAD: headers of the body, without the body.
  bool close = false;
  Selection selection;
};

/// One answer on its way out: serialised head, then a window of its body. Small bodies go with the
/// head in one call, files by sendfile in steps, so that a fast reader does not starve its
/// neighbours.
class Outgoing {
 public:
  enum class Step {
    kDone,
    kBlocked,    ///< The socket is full.
    kYield,      ///< A step was sent: let the others have their turn.
    kNeedPiece,  ///< Nothing to send until the load that is under way has ended.
    kFailed,
  };

  /// What of a representation is sent, and under which status.
  struct Part {
    int status = 0;
    std::uint64_t offset = 0;
    std::uint64_t length = 0;
    std::uint64_t total = 0;
    bool partial = false;  ///< Says so in a Content-Range.
  };

  void start(Response response, const Framing& framing);
  Step advance(Transport& transport, std::span<char> scratch);

  // For a protocol with frames of its own, instead of start() and advance():

  /// Takes the body; head and framing are the caller's.
  Part start_body(Response& response, const Framing& framing);
  /// Body bytes that copy_body() can deliver now; 0 at the end, and when they have to be loaded
  /// first.
  [[nodiscard]] std::uint64_t available();
  [[nodiscard]] std::uint64_t remaining() const { return remaining_; }
  /// The next bytes of the body, at most available(), as sent. False when they cannot be read.
  bool copy_body(std::span<char> into);
  /// What the access log shows of a request that ends without an answer.
  void set_unsent_status(int status) { status_ = status; }

  // Of a BodySource:

  /// Whether a job should load the next piece, now or while this one is sent.
  [[nodiscard]] bool wants_piece() { return ahead_.wants_load(); }
  void begin_piece() { ahead_.begin_load(); }
  /// On the worker pool. May block. False when there is no more.
  bool load_piece();
  void end_piece(bool good) { ahead_.end_load(good); }
  /// The body ends too early: behind what is available there is nothing.
  [[nodiscard]] bool piece_failed() const { return ahead_.failed(); }

  [[nodiscard]] int status() const { return status_; }
  [[nodiscard]] std::uint64_t body_bytes_sent() const;
  [[nodiscard]] bool has_source() const;
  /// Takes the body out, so that a source can be destroyed where it may block.
  Response::Body take_body();
  void reset();

 private:
  Part choose_part(const Response& response, const Framing& framing);
  void write_head(const Response& response, const Framing& framing, std::uint64_t total);
  Step send_head(Transport& transport);
  Step send_text(Transport& transport);
  Step send_file(Transport& transport, std::span<char> scratch);
  Step send_piece(Transport& transport);

  int status_ = 0;
  std::string head_;  ///< With small bodies at its end.
  std::size_t head_sent_ = 0;
  std::size_t head_bytes_ = 0;  ///< How much of head_ is not body.
  Response::Body body_;
  std::uint64_t offset_ = 0;     ///< Next byte of the body to send.
  std::uint64_t remaining_ = 0;  ///< Body bytes to send from offset_.
  std::uint64_t body_sent_ = 0;  ///< Of those not in head_.
  ReadAhead ahead_;
};

}  // namespace roadstead::http
