#include "sys/testing/lossy_disk.h"

#include <sys/stat.h>

#include <fstream>
#include <sstream>
#include <string_view>
#include <utility>

#include "base/check.h"

namespace roadstead::sys::testing {
namespace {

ino_t inode_of(const std::filesystem::path& path) {
  struct stat status{};
  CHECK(::stat(path.c_str(), &status) == 0);
  return status.st_ino;
}

std::string content_of(const std::filesystem::path& path) {
  std::ostringstream content;
  content << std::ifstream(path, std::ios::binary).rdbuf();
  return std::move(content).str();
}

void write_file(const std::filesystem::path& target, std::string_view content) {
  std::ofstream(target, std::ios::binary) << content;
}

/// Of the bytes that differ, the first half is new: what a disk may have got around to.
std::string half_written(const std::string& old, const std::string& fresh) {
  std::string torn = fresh;
  const auto differs = [&](std::size_t at) { return at >= old.size() || old[at] != fresh[at]; };
  std::size_t changed = 0;
  for (std::size_t at = 0; at < fresh.size(); ++at) {
    changed += differs(at) ? 1U : 0U;
  }
  std::size_t passed = 0;
  for (std::size_t at = 0; at < fresh.size(); ++at) {
    if (differs(at) && ++passed > (changed + 1) / 2) {
      torn[at] = at < old.size() ? old[at] : '\0';
    }
  }
  return torn;
}

bool is_below(const std::filesystem::path& path, const std::filesystem::path& root) {
  const std::string& text = path.native();
  return text.starts_with(root.native()) &&
         (text.size() == root.native().size() || text[root.native().size()] == '/');
}

}  // namespace

LossyDisk::LossyDisk(std::filesystem::path root, BeforeCall before_each_call)
    : root_(std::move(root)),
      before_each_call_(std::move(before_each_call)),
      faults_([this](std::string_view call, const std::filesystem::path& path) {
        return watch(call, path);
      }) {
  take_all(root_);
}

int LossyDisk::watch(std::string_view call, const std::filesystem::path& path) {
  // Others are not waited for: what looks at the remains elsewhere has threads of its own.
  if (!is_below(path, root_)) {
    return 0;
  }
  const std::lock_guard lock(mutex_);
  settle();
  if (before_each_call_) {
    before_each_call_(call, path);
  }
  if (call == "fsync" || call == "fdatasync") {
    syncing_ = path;
  }
  return 0;
}

/// A sync has returned once the next call comes: nothing can have changed between the two. When the
/// next call is another thread's, it may count a moment too early.
void LossyDisk::settle() {
  if (!syncing_) {
    return;
  }
  const std::filesystem::path path = *std::exchange(syncing_, std::nullopt);
  if (!std::filesystem::exists(path)) {
    return;  // Removed by another thread meanwhile.
  }
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
  files_[inode_of(path)] = content_of(path);
}

std::string LossyDisk::synced(ino_t inode) const {
  const auto content = files_.find(inode);
  return content == files_.end() ? std::string() : content->second;
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
      write_file(target / name, synced(child));
    }
  }
}

void LossyDisk::write_named(const std::filesystem::path& source,
                            const std::filesystem::path& target, Loss loss) const {
  std::filesystem::create_directory(target);
  for (const auto& entry : std::filesystem::directory_iterator(source)) {
    const auto copy = target / entry.path().filename();
    if (entry.is_directory()) {
      write_named(entry.path(), copy, loss);
      continue;
    }
    const std::string durable = synced(inode_of(entry.path()));
    write_file(copy, loss == Loss::kUnsyncedTails ? half_written(durable, content_of(entry.path()))
                                                  : durable);
  }
}

void LossyDisk::rebuild(const std::filesystem::path& target, Loss loss) {
  const std::lock_guard lock(mutex_);
  settle();
  CHECK(!std::filesystem::exists(target));
  if (loss == Loss::kAllUnsynced) {
    write_synced(inode_of(root_), target);
  } else {
    write_named(root_, target, loss);
  }
}

}  // namespace roadstead::sys::testing
