#pragma once

#include <cstddef>
#include <memory>
#include <string>

namespace roadstead::db::testing {

/// A VFS of SQLite that does what the platform's own does until it is told to fail. Its calls also
/// go through sys/faults.h, so that those of a database and of files are counted together and a
/// simulated disk sees them all. At most one at a time; it outlives every database opened through
/// it (SqliteOptions::vfs = name()). Thread-safe.
class FaultVfs {
 public:
  enum class Call { kWrite, kSync, kTruncate };

  FaultVfs();
  ~FaultVfs();
  FaultVfs(const FaultVfs&) = delete;
  FaultVfs& operator=(const FaultVfs&) = delete;

  [[nodiscard]] std::string name() const;

  /// Lets `skip` calls of any kind happen, fails the next `count` with `code` (SQLITE_FULL,
  /// SQLITE_IOERR_WRITE, …) without doing them, and lets all others happen. Replaces an earlier
  /// plan.
  void fail_after(std::size_t skip, std::size_t count, int code);
  /// As above, but counts only calls of one kind.
  void fail_after(std::size_t skip, std::size_t count, int code, Call only);
  /// Ends the plan; how many calls it has failed.
  std::size_t stop_failing();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace roadstead::db::testing
