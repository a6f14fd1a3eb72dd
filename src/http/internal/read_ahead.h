#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>

#include "http/message.h"

namespace roadstead::http {

/// A window of a BodySource on its way to a client: one piece is sent while the pool loads the one
/// behind it, so that neither the source nor the client waits for the other. Two buffers, however
/// slow the client is. All functions but load() belong to the I/O thread.
class ReadAhead {
 public:
  void start(std::uint64_t offset, std::uint64_t length);

  /// Whether load() should run: there is more, and a buffer for it. False while one is under way.
  [[nodiscard]] bool wants_load();
  void begin_load() { loading_ = true; }
  /// On the pool, between begin_load() and end_load(); touches nothing else than the next piece.
  /// May block. False when the source fails.
  bool load(BodySource& source);
  void end_load(bool good);
  /// Nothing comes behind what ready() still gives.
  [[nodiscard]] bool failed() const { return failed_; }

  /// Bytes to be sent now; empty at the end, and when they have to be loaded first.
  [[nodiscard]] std::string_view ready();
  void sent(std::size_t bytes) { sent_ += bytes; }

 private:
  struct Piece {
    std::unique_ptr<char[]> bytes;
    std::size_t size = 0;
  };

  void turn_over();

  Piece current_;
  std::size_t sent_ = 0;  ///< Of the current piece.
  Piece next_;
  std::uint64_t offset_ = 0;  ///< Where the next load begins.
  std::uint64_t left_ = 0;    ///< Bytes to load from there.
  bool loading_ = false;
  bool failed_ = false;
};

}  // namespace roadstead::http
