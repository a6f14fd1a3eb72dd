#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/guarded.h"
#include "base/lru_map.h"
#include "base/result.h"
#include "sys/file.h"

namespace roadstead::storage::internal {

/// Files of published blobs that were read a moment ago and stay open: the next reader saves the
/// walk along their path, and many readers of one blob share a descriptor. What lies under a digest
/// never changes, so an entry can only become useless, not wrong; forget() gives its space back to
/// the disk. Thread-safe.
class OpenFiles {
 public:
  explicit OpenFiles(std::size_t files_max) : state_(files_max) {}

  /// The file at `path`. Errors: those of sys::File::open().
  Result<std::shared_ptr<const sys::File>> open(const std::string& path);
  /// To be called after the name was removed or given to other content.
  void forget(std::string_view path);

 private:
  struct State {
    explicit State(std::size_t files_max) : files(files_max) {}
    // Owned by the table and by the readers that are sending from them.
    LruMap<std::shared_ptr<const sys::File>> files;
    std::uint64_t forgotten = 0;  ///< Calls of forget().
  };
  Guarded<State> state_;
};

}  // namespace roadstead::storage::internal
