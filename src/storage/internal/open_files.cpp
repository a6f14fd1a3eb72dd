#include "storage/internal/open_files.h"

#include <utility>

namespace roadstead::storage::internal {

using FilePointer = std::shared_ptr<const sys::File>;

Result<FilePointer> OpenFiles::open(const std::string& path) {
  std::uint64_t forgotten = 0;
  FilePointer file = state_.with([&](State& state) -> FilePointer {
    forgotten = state.forgotten;
    const FilePointer* known = state.files.find(path);
    return known == nullptr ? nullptr : *known;
  });
  if (file != nullptr) {
    return file;
  }
  file = std::make_shared<const sys::File>(TRY(sys::File::open(path, sys::File::Mode::kRead)));
  state_.with([&](State& state) {
    // Something was forgotten meanwhile: perhaps this very file, which would then stay for ever.
    if (state.forgotten == forgotten) {
      state.files.put(path, file);
    }
  });
  return file;
}

void OpenFiles::forget(std::string_view path) {
  FilePointer last;  // Closed outside the lock.
  state_.with([&](State& state) {
    ++state.forgotten;
    if (FilePointer* known = state.files.find(path)) {
      last = std::move(*known);
      state.files.erase(path);
    }
  });
}

}  // namespace roadstead::storage::internal
