#pragma once

#include "importer/source_tree.h"

namespace roadstead::importer::testing {

/// A tree that is away from its n-th call on.
class LostTree final : public SourceTree {
 public:
  LostTree(SourceTree& tree, int calls) : tree_(tree), calls_(calls) {}

  Result<Page> list(const std::string& folder, const std::string& cursor,
                    std::size_t count) override {
    TRY(use());
    return tree_.list(folder, cursor, count);
  }
  Result<std::string> read(const std::string& file, std::size_t size_max) override {
    TRY(use());
    return tree_.read(file, size_max);
  }
  Result<Status> stat(const std::string& file) override {
    TRY(use());
    return tree_.stat(file);
  }
  Result<std::size_t> read_at(const std::string& file, std::uint64_t offset,
                              std::span<std::byte> into) override {
    TRY(use());
    return tree_.read_at(file, offset, into);
  }

 private:
  Result<void> use() {
    if (calls_-- > 0) {
      return {};
    }
    return Error{Code::kUnavailable, Subject::kStorage, "the tree is away", {}};
  }

  SourceTree& tree_;
  int calls_;
};

}  // namespace roadstead::importer::testing
