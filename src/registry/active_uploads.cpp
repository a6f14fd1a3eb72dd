#include "registry/internal/active_uploads.h"

namespace roadstead::registry::internal {
namespace {

/// Waits until the request is not writing, then takes its writer away.
void supersede(ActiveUpload& upload) {
  const std::lock_guard lock(upload.mutex);
  upload.superseded = true;
  upload.writer.reset();
}

}  // namespace

bool ActiveUploads::enter(const std::string& id, const std::shared_ptr<ActiveUpload>& upload) {
  std::shared_ptr<ActiveUpload> earlier;
  const bool entered = table_.with([&](Table& table) {
    auto& there = table[id];
    if (there != nullptr && there->turn >= upload->turn) {
      return false;
    }
    earlier = std::exchange(there, upload);
    return true;
  });
  if (earlier != nullptr) {
    // Each request waits only for one with an earlier turn, so no circle can form.
    supersede(*earlier);
  }
  return entered;
}

void ActiveUploads::leave(const std::string& id, const ActiveUpload* upload) {
  std::shared_ptr<ActiveUpload> mine;  // Destroyed outside the lock.
  table_.with([&](Table& table) {
    const auto found = table.find(id);
    if (found != table.end() && found->second.get() == upload) {
      mine = std::move(found->second);
      table.erase(found);
    }
  });
}

void ActiveUploads::stop(const std::string& id) {
  std::shared_ptr<ActiveUpload> running;
  table_.with([&](Table& table) {
    const auto found = table.find(id);
    if (found != table.end()) {
      running = std::move(found->second);
      table.erase(found);
    }
  });
  if (running != nullptr) {
    supersede(*running);
  }
}

bool ActiveUploads::contains(const std::string& id) const {
  return table_.with([&](const Table& table) { return table.contains(id); });
}

std::size_t ActiveUploads::count() const {
  return table_.with([](const Table& table) { return table.size(); });
}

std::uint64_t ActiveUploads::reserved(ProjectId project) const {
  return table_.with([&](const Table& table) {
    std::uint64_t sum = 0;
    for (const auto& [id, upload] : table) {
      if (upload->project == project) {
        sum += upload->reserved.load(std::memory_order_relaxed);
      }
    }
    return sum;
  });
}

}  // namespace roadstead::registry::internal
