#include <algorithm>
#include <set>

#include "base/clock.h"
#include "storage/filesystem.h"
#include "storage/internal/filesystem_writer.h"
#include "storage/internal/layout.h"
#include "storage/internal/open_files.h"
#include "storage/internal/upload_token.h"

namespace roadstead::storage {
namespace {

using internal::blob_unknown;
using internal::Layout;
using internal::Place;
using internal::Shape;
using internal::UploadToken;
using model::Algorithm;
using model::Digest;

// In the order of their names, which is the order of list().
constexpr std::array kShapes = {Shape::kFile, Shape::kDistribution};
constexpr std::array kAlgorithms = {Algorithm::kSha256, Algorithm::kSha512};
constexpr unsigned kPrefixes = 256;
constexpr std::size_t kOpenFilesMax = 256;

class FileReader final : public BlobReader {
 public:
  FileReader(std::shared_ptr<const sys::File> file, std::uint64_t size)
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

Error absent_or(const Error& error, const Location& location) {
  return error.code == Code::kNotFound ? blob_unknown(location) : error;
}

class FilesystemStore final : public BlobStore {
 public:
  FilesystemStore(const std::filesystem::path& root, bool taken_over)
      : layout_(root, taken_over), open_files_(kOpenFilesMax) {}

  Result<void> prepare();

  Result<std::uint64_t> stat(const Location& location) override;
  Result<std::unique_ptr<BlobReader>> open(const Location& location) override;
  Result<std::unique_ptr<BlobWriter>> begin(Algorithm algorithm, std::uint64_t size_hint) override;
  Result<std::unique_ptr<BlobWriter>> resume(const std::string& token) override;
  Result<void> discard(const std::string& token) override;
  Result<void> check(const Location& location) const override;
  Result<void> unlink(const Location& location) override;
  Result<void> sync_removed(std::span<const Location> locations) override;
  Result<std::vector<Location>> list(const std::string& cursor, std::size_t count) override;
  Result<std::vector<std::string>> stale_uploads(std::chrono::seconds age) override;
  Result<std::optional<std::uint64_t>> free_space() override;

 private:
  struct Page {
    const std::string& cursor;
    std::size_t count;
    std::vector<Location> locations;
  };
  Result<void> list_tree(Shape shape, Algorithm algorithm, Page& page) const;
  Result<void> list_directory(const std::string& directory, const Place& first, Page& page) const;

  const Layout layout_;
  internal::OpenFiles open_files_;
};

/// Makes every directory, so that a commit has none to make and only one to sync.
Result<void> FilesystemStore::prepare() {
  TRY(sys::make_directories(layout_.uploads()));
  for (const Algorithm algorithm : kAlgorithms) {
    const std::filesystem::path blobs = layout_.blobs(Shape::kFile, algorithm);
    TRY(sys::make_directories(blobs));
    for (unsigned prefix = 0; prefix < kPrefixes; ++prefix) {
      TRY(sys::make_directory(blobs / internal::prefix_name(prefix)));
    }
    TRY(sys::sync_directory(blobs));
  }
  // Also when nothing was made: an earlier start may have been cut off before its sync.
  for (const std::string_view parent : {"", "blobs"}) {
    TRY(sys::sync_directory(std::filesystem::path(layout_.root()) / parent));
  }
  return {};
}

Result<std::uint64_t> FilesystemStore::stat(const Location& location) {
  const Place place = TRY(Place::parse(location));
  Result<std::uint64_t> size = sys::file_size(layout_.data(place));
  if (!size) {
    return absent_or(std::move(size).error(), location);
  }
  return size;
}

Result<std::unique_ptr<BlobReader>> FilesystemStore::open(const Location& location) {
  const Place place = TRY(Place::parse(location));
  auto file = open_files_.open(layout_.data(place));
  if (!file) {
    return absent_or(std::move(file).error(), location);
  }
  // Asked for each time: something outside may have cut the file short.
  const std::uint64_t size = TRY((*file)->size());
  return std::make_unique<FileReader>(std::move(*file), size);
}

Result<std::unique_ptr<BlobWriter>> FilesystemStore::begin(Algorithm algorithm,
                                                           std::uint64_t size_hint) {
  return internal::FilesystemWriter::begin(layout_, open_files_, algorithm, size_hint);
}

Result<std::unique_ptr<BlobWriter>> FilesystemStore::resume(const std::string& token) {
  UploadToken parsed = TRY(UploadToken::parse(token));
  return TRY(internal::FilesystemWriter::resume(layout_, open_files_, std::move(parsed)));
}

Result<void> FilesystemStore::discard(const std::string& token) {
  const UploadToken parsed = TRY(UploadToken::parse(token));
  return sys::remove(layout_.upload(parsed.uuid));
}

Result<void> FilesystemStore::check(const Location& location) const {
  TRY(Place::parse(location));
  return {};
}

Result<void> FilesystemStore::unlink(const Location& location) {
  const Place place = TRY(Place::parse(location));
  const std::string data = layout_.data(place);
  const Result<void> removed = sys::remove(data);
  open_files_.forget(data);
  TRY(removed);
  if (place.shape == Shape::kDistribution) {
    const bool gone = TRY(sys::remove_directory(layout_.directory(place)));
    static_cast<void>(gone);  // False: something of somebody else's lies there.
  }
  return {};
}

Result<void> FilesystemStore::sync_removed(std::span<const Location> locations) {
  // Also for blobs that were absent: an earlier attempt may have been cut off before its sync.
  std::set<std::string> changed;
  for (const Location& location : locations) {
    const Place place = TRY(Place::parse(location));
    changed.insert(layout_.prefix(place));
    if (place.shape == Shape::kDistribution) {
      changed.insert(
          layout_.directory(place));  // There when something of somebody else's is in it.
    }
  }
  for (const std::string& directory : changed) {
    const Result<void> synced = sys::sync_directory(directory);
    if (!synced && synced.error().code != Code::kNotFound) {
      return synced;
    }
  }
  return {};
}

/// Appends to the page what lies in one <2 hex>/, in order. `first` is a place with the smallest
/// digest that may lie there.
Result<void> FilesystemStore::list_directory(const std::string& directory, const Place& first,
                                             Page& page) const {
  Result<std::vector<std::string>> names = sys::list_directory(directory);
  if (!names) {
    return names.error().code == Code::kNotFound ? Result<void>() : names.error();
  }
  std::sort(names->begin(), names->end());
  const Algorithm algorithm = first.digest.algorithm();
  const std::string_view two = first.digest.hex().substr(0, 2);
  for (const std::string& name : *names) {
    if (page.locations.size() == page.count) {
      break;
    }
    const auto digest = Digest::parse(std::string(crypto::to_string(algorithm)) + ':' + name);
    if (!digest || !name.starts_with(two)) {
      continue;
    }
    const Place place{first.shape, *digest};
    Location location = place.location();
    if (location.value <= page.cursor) {
      continue;
    }
    // A <hex>/ without content is no blob.
    if (place.shape == Shape::kFile || TRY(sys::exists(layout_.data(place)))) {
      page.locations.push_back(std::move(location));
    }
  }
  return {};
}

Result<void> FilesystemStore::list_tree(Shape shape, Algorithm algorithm, Page& page) const {
  if (!TRY(sys::exists(layout_.blobs(shape, algorithm)))) {
    return {};
  }
  const std::size_t hex_size = Digest::of("", algorithm).hex().size();
  for (unsigned prefix = 0; prefix < kPrefixes && page.locations.size() < page.count; ++prefix) {
    const std::string two = internal::prefix_name(prefix);
    const auto bound = [&](char rest) {
      return Place{shape,
                   Digest::from_hex(algorithm, two + std::string(hex_size - two.size(), rest))};
    };
    if (bound('f').location().value > page.cursor) {
      const Place first = bound('0');
      TRY(list_directory(layout_.prefix(first), first, page));
    }
  }
  return {};
}

Result<std::vector<Location>> FilesystemStore::list(const std::string& cursor, std::size_t count) {
  if (!cursor.empty()) {
    TRY(Place::parse(Location{cursor}));
  }
  Page page{cursor, count, {}};
  for (const Shape shape : kShapes) {
    for (const Algorithm algorithm : kAlgorithms) {
      TRY(list_tree(shape, algorithm, page));
    }
  }
  return std::move(page.locations);
}

Result<std::vector<std::string>> FilesystemStore::stale_uploads(std::chrono::seconds age) {
  // Compared with the times that the kernel gave the files, so its clock and no other.
  const Time limit = SystemClock().now() - age;
  std::vector<std::string> tokens;
  for (const std::string& name : TRY(sys::list_directory(layout_.uploads()))) {
    if (!internal::is_uuid(name)) {
      continue;
    }
    const Result<Time> modified = sys::modified_at(layout_.upload(name));
    if (!modified && modified.error().code != Code::kNotFound) {
      return modified.error();
    }
    if (modified && *modified <= limit) {
      tokens.push_back(UploadToken{name, 0, {}}.to_string());
    }
  }
  return tokens;
}

Result<std::optional<std::uint64_t>> FilesystemStore::free_space() {
  return std::optional(TRY(sys::free_space(layout_.root())));
}

}  // namespace

Result<std::unique_ptr<BlobStore>> open_filesystem_store(const std::filesystem::path& root) {
  std::string distribution = root.string();
  distribution.append(internal::kDistributionBlobs);
  auto store = std::make_unique<FilesystemStore>(root, TRY(sys::exists(distribution)));
  TRY(store->prepare());
  return store;
}

}  // namespace roadstead::storage
