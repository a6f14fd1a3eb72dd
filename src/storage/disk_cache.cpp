#include "storage/disk_cache.h"

#include <algorithm>
#include <atomic>
#include <list>
#include <map>

#include "base/guarded.h"
#include "storage/internal/cache_fill.h"
#include "storage/internal/open_files.h"
#include "sys/file.h"
#include "sys/process.h"
#include "sys/thread_pool.h"

namespace roadstead::storage {
namespace {

using internal::CacheFill;
using internal::FillReader;

constexpr std::string_view kPart = ".part";
constexpr std::size_t kFillThreads = 4;
/// Copies that wait for a thread; more are not made.
constexpr std::size_t kFillsQueuedMax = 16;
constexpr std::size_t kOpenFilesMax = 256;

std::string name_of(const model::Digest& digest) {
  return std::string(crypto::to_string(digest.algorithm())) + "-" + std::string(digest.hex());
}

bool is_name(std::string_view name) {
  const std::size_t dash = name.find('-');
  return dash != std::string_view::npos &&
         model::Digest::parse(std::string(name.substr(0, dash)) + ":" +
                              std::string(name.substr(dash + 1)))
             .has_value();
}

class CopyReader final : public BlobReader {
 public:
  CopyReader(std::shared_ptr<const sys::File> file, std::uint64_t size)
      : file_(std::move(file)), size_(size) {}
  [[nodiscard]] std::uint64_t size() const override { return size_; }
  Result<std::size_t> read_at(std::uint64_t offset, std::span<std::byte> into) override {
    return file_->read_at(offset, into);
  }
  [[nodiscard]] std::shared_ptr<const sys::File> file() const override { return file_; }

 private:
  std::shared_ptr<const sys::File> file_;  // Shared with the response that sends it.
  std::uint64_t size_;
};

/// A whole copy, or one that grows.
struct Entry {
  std::string name;
  std::uint64_t size = 0;           ///< Reserved; 0 until a growing one is known.
  std::shared_ptr<CacheFill> fill;  ///< Null: whole.
};

struct Index {
  std::list<Entry> entries;  ///< Used last first.
  std::map<std::string, std::list<Entry>::iterator, std::less<>> by_name;
  DiskCache::Statistics statistics;

  Entry* find(std::string_view name) {
    const auto found = by_name.find(name);
    if (found == by_name.end()) {
      return nullptr;
    }
    entries.splice(entries.begin(), entries, found->second);
    return &entries.front();
  }
  Entry& add(Entry entry) {
    statistics.bytes += entry.size;
    entries.push_front(std::move(entry));
    by_name[entries.front().name] = entries.begin();
    return entries.front();
  }
  void drop(std::string_view name) {
    const auto found = by_name.find(name);
    if (found != by_name.end()) {
      statistics.bytes -= found->second->size;
      entries.erase(found->second);
      by_name.erase(found);
    }
  }
  /// Names of whole copies that must go so that `size` more bytes have room; nothing, and no
  /// change, when that is not enough.
  std::optional<std::vector<std::string>> make_room(std::uint64_t size, std::uint64_t bytes_max) {
    std::uint64_t left = statistics.bytes;
    std::vector<std::string> leaving;
    for (auto entry = entries.rbegin(); entry != entries.rend() && left + size > bytes_max;
         ++entry) {
      if (entry->fill == nullptr) {
        left -= entry->size;
        leaving.push_back(entry->name);
      }
    }
    if (left + size > bytes_max) {
      return std::nullopt;
    }
    for (const std::string& name : leaving) {
      drop(name);
      ++statistics.evictions;
    }
    return leaving;
  }
};

}  // namespace

struct DiskCache::State {
  State(std::unique_ptr<BlobStore> behind, const DiskCacheOptions& given, sys::FileLock owned)
      : store(std::move(behind)),
        options(given),
        lock(std::move(owned)),
        open_files(kOpenFilesMax),
        pool({"cache", kFillThreads, kFillsQueuedMax, {}}) {}
  ~State() { stopping = true; }

  std::unique_ptr<BlobStore> store;
  const DiskCacheOptions options;
  sys::FileLock lock;
  internal::OpenFiles open_files;
  Guarded<Index> index;
  std::atomic<bool> stopping{false};
  // Last: what it runs uses the others.
  sys::ThreadPool pool;

  [[nodiscard]] std::string path_of(std::string_view name) const {
    return (options.directory / name).string();
  }
  Result<void> scan();
  void remove_files(const std::vector<std::string>& names);
  std::unique_ptr<BlobReader> open_whole(const Entry& entry);
  Result<std::unique_ptr<BlobReader>> join(std::shared_ptr<CacheFill> fill,
                                           const Location& location);
  Result<std::unique_ptr<BlobReader>> start(std::shared_ptr<CacheFill> fill,
                                            const Location& location, const std::string& name);
  void run(const std::shared_ptr<CacheFill>& fill, const std::string& name);
  void give_up(CacheFill& fill, const std::string& name, bool failure);
};

/// The oldest copies first, so that the newest are those used last.
Result<void> DiskCache::State::scan() {
  std::multimap<Time, Entry> found;
  for (const std::string& name : TRY(sys::list_directory(options.directory.string()))) {
    const std::string path = path_of(name);
    if (name.ends_with(kPart)) {
      TRY(sys::remove(path));
    } else if (is_name(name)) {
      const std::uint64_t size = TRY(sys::file_size(path));
      found.emplace(TRY(sys::modified_at(path)), Entry{name, size, nullptr});
    }
  }
  std::vector<std::string> leaving;
  index.with([&](Index& known) {
    for (auto& [time, entry] : found) {
      known.add(std::move(entry));
    }
    leaving = known.make_room(0, options.bytes_max).value_or(std::vector<std::string>());
  });
  remove_files(leaving);
  return {};
}

void DiskCache::State::remove_files(const std::vector<std::string>& names) {
  for (const std::string& name : names) {
    const std::string path = path_of(name);
    open_files.forget(path);
    static_cast<void>(sys::remove(path));  // At the worst the next start finds it.
  }
}

/// Null when it is not there any more, or not as long as it was.
std::unique_ptr<BlobReader> DiskCache::State::open_whole(const Entry& entry) {
  auto file = open_files.open(path_of(entry.name));
  const auto size = file ? (*file)->size() : Result<std::uint64_t>(file.error());
  if (size && *size == entry.size) {
    return std::make_unique<CopyReader>(std::move(*file), *size);
  }
  index.with([&](Index& known) { known.drop(entry.name); });
  remove_files({entry.name});
  return nullptr;
}

Result<std::unique_ptr<BlobReader>> DiskCache::State::join(std::shared_ptr<CacheFill> fill,
                                                           const Location& location) {
  const auto size = fill->wait_open();
  if (!size) {
    return store->open(location);
  }
  return std::make_unique<FillReader>(std::move(fill), *size,
                                      [this, location] { return store->open(location); });
}

void DiskCache::State::give_up(CacheFill& fill, const std::string& name, bool failure) {
  index.with([&](Index& known) {
    known.drop(name);
    ++(failure ? known.statistics.failures : known.statistics.bypassed);
  });
  fill.fail();
}

void DiskCache::State::run(const std::shared_ptr<CacheFill>& fill, const std::string& name) {
  const auto whole = fill->run([this] { return !stopping; }, path_of(name));
  if (!whole) {
    give_up(*fill, name, true);
    return;
  }
  index.with([&](Index& known) {
    if (Entry* const entry = known.find(name)) {
      entry->fill.reset();
    }
  });
}

/// Whoever comes first opens the blob at the store; the others wait for that only.
Result<std::unique_ptr<BlobReader>> DiskCache::State::start(std::shared_ptr<CacheFill> fill,
                                                            const Location& location,
                                                            const std::string& name) {
  auto opened = store->open(location);
  if (!opened) {
    give_up(*fill, name, true);
    return opened;
  }
  const std::uint64_t size = (*opened)->size();
  std::optional<std::vector<std::string>> leaving;
  if (size <= options.bytes_max / 2) {
    index.with([&](Index& known) {
      leaving = known.make_room(size, options.bytes_max);
      Entry* const entry = leaving ? known.find(name) : nullptr;
      if (entry != nullptr) {
        entry->size = size;
        known.statistics.bytes += size;
      }
    });
  }
  if (!leaving) {
    give_up(*fill, name, false);
    return opened;
  }
  remove_files(*leaving);
  if (!fill->begin(std::move(*opened))) {
    give_up(*fill, name, true);
    return store->open(location);
  }
  if (!pool.try_submit([this, fill, name] { run(fill, name); })) {
    give_up(*fill, name, false);
    return store->open(location);
  }
  index.with([](Index& known) { ++known.statistics.misses; });
  return join(std::move(fill), location);
}

DiskCache::DiskCache(std::unique_ptr<State> state) : state_(std::move(state)) {}
DiskCache::~DiskCache() = default;

Result<std::unique_ptr<DiskCache>> DiskCache::open(std::unique_ptr<BlobStore> store,
                                                   const DiskCacheOptions& options) {
  TRY(sys::make_directories(options.directory.string()));
  sys::FileLock lock = TRY(sys::FileLock::acquire((options.directory / "lock").string()));
  auto state = std::make_unique<State>(std::move(store), options, std::move(lock));
  TRY(state->scan());
  return std::unique_ptr<DiskCache>(new DiskCache(std::move(state)));
}

DiskCache::Statistics DiskCache::statistics() const {
  return state_->index.with([](const Index& known) {
    Statistics statistics = known.statistics;
    statistics.blobs = known.entries.size();
    return statistics;
  });
}

Result<std::unique_ptr<BlobReader>> DiskCache::open_copy(const Location& location,
                                                         const model::Digest& content,
                                                         Reading reading) {
  const std::string name = name_of(content);
  Entry entry;
  bool ours = false;
  state_->index.with([&](Index& known) {
    Entry* const present = known.find(name);
    if (present == nullptr) {
      ours = true;
      auto fill = std::make_shared<CacheFill>(
          content, state_->path_of(sys::random_uuid() + std::string(kPart)));
      entry = known.add({name, 0, std::move(fill)});
      return;
    }
    entry = *present;
    ++(present->fill == nullptr ? known.statistics.hits : known.statistics.joined);
  });
  if (ours) {
    return state_->start(std::move(entry.fill), location, name);
  }
  if (entry.fill != nullptr) {
    return state_->join(std::move(entry.fill), location);
  }
  auto reader = state_->open_whole(entry);
  return reader != nullptr ? Result<std::unique_ptr<BlobReader>>(std::move(reader))
                           : state_->store->open_copy(location, content, reading);
}

StoreTraits DiskCache::traits() const {
  return state_->store->traits();
}
Result<std::uint64_t> DiskCache::stat(const Location& location) {
  return state_->store->stat(location);
}
Result<std::unique_ptr<BlobReader>> DiskCache::open(const Location& location) {
  return state_->store->open(location);
}
Result<std::unique_ptr<BlobWriter>> DiskCache::begin(model::Algorithm algorithm,
                                                     std::uint64_t size_hint) {
  return state_->store->begin(algorithm, size_hint);
}
Result<std::unique_ptr<BlobWriter>> DiskCache::resume(const std::string& token) {
  return state_->store->resume(token);
}
Result<void> DiskCache::discard(const std::string& token) {
  return state_->store->discard(token);
}
Result<void> DiskCache::check(const Location& location) const {
  return state_->store->check(location);
}
Result<void> DiskCache::unlink(const Location& location) {
  return state_->store->unlink(location);
}
Result<void> DiskCache::sync_removed(std::span<const Location> locations) {
  return state_->store->sync_removed(locations);
}
Result<std::vector<Location>> DiskCache::list(const std::string& cursor, std::size_t count) {
  return state_->store->list(cursor, count);
}
Result<std::vector<std::string>> DiskCache::stale_uploads(std::chrono::seconds age) {
  return state_->store->stale_uploads(age);
}
Result<std::optional<std::uint64_t>> DiskCache::free_space() {
  return state_->store->free_space();
}
PresignedUrls* DiskCache::presigned_urls() {
  return state_->store->presigned_urls();
}

}  // namespace roadstead::storage
