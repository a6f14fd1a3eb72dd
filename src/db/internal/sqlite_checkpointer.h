#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <thread>

#include "base/guarded.h"
#include "base/log.h"
#include "db/internal/sqlite_connection.h"

namespace roadstead::db::internal {

/// Moves the write-ahead log into the database file on a thread and a connection of its own, so
/// that neither readers nor the writer pay for it. Sleeps while nothing is committed.
class SqliteCheckpointer {
 public:
  SqliteCheckpointer(std::unique_ptr<SqliteConnection> connection, std::uint64_t wal_size_max,
                     log::Logger logger);
  ~SqliteCheckpointer();
  SqliteCheckpointer(const SqliteCheckpointer&) = delete;
  SqliteCheckpointer& operator=(const SqliteCheckpointer&) = delete;

  /// After each commit: how many pages the log holds now.
  void committed(std::uint64_t wal_pages);
  /// Before each transaction of the writer: waits, for a bounded time, while the log is being cut.
  /// Without it a busy writer never leaves the gap that cutting needs.
  void give_way();
  /// Size of the log that is in use; the file itself may be larger, as it is overwritten from its
  /// start.
  [[nodiscard]] std::uint64_t wal_bytes() const;
  /// How often the log had to be emptied because it exceeded its limit.
  [[nodiscard]] std::uint64_t cuts() const;

 private:
  struct State {
    bool stopping = false;
    bool cutting = false;
    bool changed = false;  ///< There is something to move.
    std::uint64_t cuts = 0;
    std::uint64_t pages = 0;          ///< In the log now.
    std::uint64_t pages_checked = 0;  ///< In the log when the last checkpoint ended.
  };

  void loop();
  void checkpoint();
  /// Empties the log while the writer pauses.
  bool cut(std::uint64_t& wal_pages);
  /// Runs one checkpoint and tells whether it moved everything.
  bool run(int mode, std::uint64_t& wal_pages);
  [[nodiscard]] bool is_urgent(const State& state) const;

  std::unique_ptr<SqliteConnection> connection_;
  const std::uint64_t wal_size_max_;
  log::Logger logger_;
  Guarded<State> state_;
  std::condition_variable wake_;
  std::condition_variable cut_ended_;
  bool warned_ = false;
  std::thread thread_;  // After all that it uses.
};

}  // namespace roadstead::db::internal
