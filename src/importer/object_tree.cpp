#include <utility>

#include "importer/source_tree.h"
#include "storage/s3_tree.h"

namespace roadstead::importer {
namespace {

class ObjectTree final : public SourceTree {
 public:
  explicit ObjectTree(const storage::S3Options& options) : tree_(options) {}

  Result<Page> list(const std::string& folder, const std::string& cursor,
                    std::size_t count) override {
    auto page = TRY(tree_.folders(folder, cursor, count));
    return Page{std::move(page.names), std::move(page.next)};
  }

  Result<std::string> read(const std::string& file, std::size_t size_max) override {
    return tree_.read(file, size_max);
  }

  Result<Status> stat(const std::string& file) override {
    const auto status = TRY(tree_.stat(file));
    return Status{status.size, status.modified_at};
  }

  Result<std::size_t> read_at(const std::string& file, std::uint64_t offset,
                              std::span<std::byte> into) override {
    return tree_.read_at(file, offset, into);
  }

 private:
  storage::S3Tree tree_;
};

}  // namespace

std::unique_ptr<SourceTree> open_object_tree(const storage::S3Options& options) {
  return std::make_unique<ObjectTree>(options);
}

}  // namespace roadstead::importer
