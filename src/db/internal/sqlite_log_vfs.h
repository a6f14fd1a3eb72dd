#pragma once

#include <string>

namespace roadstead::db::internal {

/// The name of a VFS that does what the one named `base` does, but writes what a transaction adds
/// to the write-ahead log in one piece. SQLite writes a header of 24 bytes and a page for each
/// page, two system calls at odd offsets, which cost a small commit more than its sync.
///
/// Bytes wait in memory until the last frame of a transaction (its header says so), a sync, a read,
/// or anything else that looks at the file, so nothing depends on them before they are written, and
/// a write that fails is an error of the call that would have made the commit visible. A process
/// that dies before loses a transaction that was not committed. Registered on first use, for the
/// life of the process. Thread-safe.
std::string log_vfs(const std::string& base);

}  // namespace roadstead::db::internal
