#pragma once

#include <sys/types.h>

#include <filesystem>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include "sys/faults.h"

namespace roadstead::sys::testing {

/// Follows the file-system calls below a directory and can tell what power loss would leave of it:
/// bytes as of their file's last sync, names as of their directory's. Uses the fault hook, so there
/// is one at a time. Several threads may make calls, as long as no two write to the same file.
class LossyDisk {
 public:
  enum class Loss {
    kAllUnsynced,    ///< Nothing survives that was not synced.
    kUnsyncedBytes,  ///< Names survive in any case, as a journal of metadata may have it.
    kUnsyncedTails,  ///< So do files' lengths and the first half of the bytes that were changed.
  };
  using BeforeCall = std::function<void(std::string_view call, const std::filesystem::path& path)>;

  /// Takes what lies below `root` now for durable. `before_each_call` may rebuild(); calls of other
  /// threads wait meanwhile.
  explicit LossyDisk(std::filesystem::path root, BeforeCall before_each_call = {});

  /// Makes `target`, which must not exist, what the directory would be after power loss now.
  void rebuild(const std::filesystem::path& target, Loss loss);

 private:
  using Names = std::map<std::string, ino_t>;

  int watch(std::string_view call, const std::filesystem::path& path);
  void settle();
  void take_all(const std::filesystem::path& path);
  void take_directory(const std::filesystem::path& path);
  void take_file(const std::filesystem::path& path);
  void write_synced(ino_t inode, const std::filesystem::path& target) const;
  void write_named(const std::filesystem::path& source, const std::filesystem::path& target,
                   Loss loss) const;
  [[nodiscard]] std::string synced(ino_t inode) const;

  std::filesystem::path root_;
  BeforeCall before_each_call_;
  std::recursive_mutex mutex_;
  std::map<ino_t, Names> directories_;  ///< As of their last sync.
  std::map<ino_t, std::string> files_;  ///< As of their last sync.
  std::map<ino_t, bool> is_directory_;  ///< Of every inode that a synced name ever led to.
  std::optional<std::filesystem::path> syncing_;  ///< The call was let go, but has not returned.
  ScopedFaults faults_;                           // Last: calls watch().
};

}  // namespace roadstead::sys::testing
