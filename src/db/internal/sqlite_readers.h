#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <functional>
#include <memory>
#include <vector>

#include "base/guarded.h"
#include "base/result.h"
#include "db/internal/sqlite_connection.h"

namespace roadstead::db::internal {

/// Read connections that wait for the next session. The one used last on a processor waits in a
/// place of its own, which is taken and filled without a lock: so each I/O thread keeps finding the
/// connection whose cache and statements it has warmed. Thread-safe.
class SqliteReaders {
 public:
  using Open = std::function<Result<std::unique_ptr<SqliteConnection>>()>;

  /// Keeps about `idle_max` connections.
  SqliteReaders(Open open, std::size_t idle_max) : open_(std::move(open)), idle_max_(idle_max) {}
  ~SqliteReaders();
  SqliteReaders(const SqliteReaders&) = delete;
  SqliteReaders& operator=(const SqliteReaders&) = delete;

  Result<std::unique_ptr<SqliteConnection>> take();
  void give_back(std::unique_ptr<SqliteConnection> connection);

 private:
  static constexpr std::size_t kPlaces = 64;
  using Place = std::atomic<SqliteConnection*>;  ///< Owns what it points to.
  Place& place_of_this_processor();

  const Open open_;
  const std::size_t idle_max_;
  std::array<Place, kPlaces> places_{};
  Guarded<std::vector<std::unique_ptr<SqliteConnection>>> others_;
};

}  // namespace roadstead::db::internal
