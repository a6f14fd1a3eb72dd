#include <algorithm>

#include "importer/source_tree.h"
#include "sys/file.h"
#include "sys/kind.h"

namespace roadstead::importer {
namespace {

class DirectoryTree final : public SourceTree {
 public:
  explicit DirectoryTree(const std::filesystem::path& root) : root_(root.string() + '/') {}

  /// In the order of their bytes; the cursor is the last name of the page before.
  Result<Page> list(const std::string& folder, const std::string& cursor,
                    std::size_t count) override {
    if (cursor.empty() || folder != listed_) {
      TRY(read_names(folder));
    }
    const auto first = std::upper_bound(names_.begin(), names_.end(), cursor);
    const auto size = std::min(count, static_cast<std::size_t>(names_.end() - first));
    const auto last = first + static_cast<std::ptrdiff_t>(size);
    return Page{{first, last}, last == names_.end() || size == 0 ? std::string() : *(last - 1)};
  }

  Result<std::string> read(const std::string& file, std::size_t size_max) override {
    // Whatever else may have that name, a pipe say, is not opened.
    if (const std::uint64_t size = TRY(sys::file_size(root_ + file)); size > size_max) {
      return Error{Code::kTooLarge, Subject::kStorage,
                   "it is larger than " + std::to_string(size_max) + " bytes", file};
    }
    return sys::read_file(root_ + file, size_max);
  }

  Result<Status> stat(const std::string& file) override {
    Status status;
    status.size = TRY(sys::file_size(root_ + file));
    status.modified_at = TRY(sys::modified_at(root_ + file));
    return status;
  }

  Result<std::size_t> read_at(const std::string& file, std::uint64_t offset,
                              std::span<std::byte> into) override {
    const auto open = TRY(sys::File::open(root_ + file, sys::File::Mode::kRead));
    return open.read_at(offset, into);
  }

 private:
  /// A directory is read in one piece; the next pages of the same folder come from memory.
  Result<void> read_names(const std::string& folder) {
    const std::string path = root_ + folder;
    listed_ = folder;
    names_.clear();
    const auto kind = TRY(sys::kind_of(path));
    if (kind == sys::Kind::kLink) {
      return Error{Code::kPrecondition, Subject::kStorage,
                   "it is a symbolic link, which is not followed", folder};
    }
    if (kind != sys::Kind::kDirectory) {
      return {};
    }
    names_ = TRY(sys::list_directory(path));
    std::sort(names_.begin(), names_.end());
    return {};
  }

  std::string root_;
  std::string listed_;
  std::vector<std::string> names_;
};

}  // namespace

std::unique_ptr<SourceTree> open_directory_tree(const std::filesystem::path& root) {
  return std::make_unique<DirectoryTree>(root);
}

}  // namespace roadstead::importer
