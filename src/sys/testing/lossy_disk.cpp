#include "sys/testing/lossy_disk.h"

#include <sys/stat.h>

#include <fstream>
#include <sstream>
#include <utility>

#include "base/check.h"

namespace roadstead::sys::testing {
namespace {

ino_t inode_of(const std::filesystem::path& path) {
  struct stat status{};
  CHECK(::stat(path.c_str(), &status) == 0);
  return status.st_ino;
}

}  // namespace

LossyDisk::LossyDisk(std::filesystem::path root, std::function<void()> before_each_call)
    : root_(std::move(root)),
      before_each_call_(std::move(before_each_call)),
      faults_([this](std::string_view call, const std::filesystem::path& path) {
        return watch(call, path);
      }) {
  take_all(root_);
}

int LossyDisk::watch(std::string_view call, const std::filesystem::path& path) {
  settle();
  if (before_each_call_) {
    before_each_call_();
  }
  if (call == "fsync" || call == "fdatasync") {
    syncing_ = path;
  }
  return 0;
}

/// A sync has returned once the next call comes; nothing can have changed between the two.
void LossyDisk::settle() {
  if (!syncing_) {
    return;
  }
  const std::filesystem::path path = *std::exchange(syncing_, std::nullopt);
  if (std::filesystem::is_directory(path)) {
    take_directory(path);
  } else {
    take_file(path);
  }
}

void LossyDisk::take_all(const std::filesystem::path& path) {
  take_directory(path);
  for (const auto& entry : std::filesystem::directory_iterator(path)) {
    if (entry.is_directory()) {
      take_all(entry.path());
    } else {
      take_file(entry.path());
    }
  }
}

void LossyDisk::take_directory(const std::filesystem::path& path) {
  Names names;
  for (const auto& entry : std::filesystem::directory_iterator(path)) {
    const ino_t inode = inode_of(entry.path());
    names.emplace(entry.path().filename(), inode);
    is_directory_[inode] = entry.is_directory();
  }
  directories_[inode_of(path)] = std::move(names);
}

void LossyDisk::take_file(const std::filesystem::path& path) {
  std::ostringstream content;
  content << std::ifstream(path, std::ios::binary).rdbuf();
  files_[inode_of(path)] = std::move(content).str();
}

void LossyDisk::write_file(ino_t inode, const std::filesystem::path& target) const {
  const auto content = files_.find(inode);
  std::ofstream(target, std::ios::binary) << (content == files_.end() ? "" : content->second);
}

void LossyDisk::write_synced(ino_t inode, const std::filesystem::path& target) const {
  std::filesystem::create_directory(target);
  const auto names = directories_.find(inode);
  if (names == directories_.end()) {
    return;  // It was made and never synced itself.
  }
  for (const auto& [name, child] : names->second) {
    if (is_directory_.at(child)) {
      write_synced(child, target / name);
    } else {
      write_file(child, target / name);
    }
  }
}

void LossyDisk::write_named(const std::filesystem::path& source,
                            const std::filesystem::path& target) const {
  std::filesystem::create_directory(target);
  for (const auto& entry : std::filesystem::directory_iterator(source)) {
    const auto copy = target / entry.path().filename();
    if (entry.is_directory()) {
      write_named(entry.path(), copy);
    } else {
      write_file(inode_of(entry.path()), copy);
    }
  }
}

void LossyDisk::rebuild(const std::filesystem::path& target, Loss loss) {
  settle();
  CHECK(!std::filesystem::exists(target));
  if (loss == Loss::kAllUnsynced) {
    write_synced(inode_of(root_), target);
  } else {
    write_named(root_, target);
  }
}

}  // namespace roadstead::sys::testing
