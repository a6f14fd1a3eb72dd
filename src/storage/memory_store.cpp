#include <chrono>
#include <cstring>
#include <map>

#include "base/guarded.h"
#include "base/text.h"
#include "storage/filesystem.h"
#include "storage/internal/layout.h"
#include "storage/internal/upload_token.h"
#include "sys/process.h"

namespace roadstead::storage {
namespace {

using internal::UploadToken;
using model::Algorithm;
using model::Digest;

using Bytes = std::shared_ptr<const std::string>;  // Shared by the store and its readers.

struct Staged {
  std::string bytes;
  std::chrono::steady_clock::time_point written_at = std::chrono::steady_clock::now();
};

struct Content {
  StoreTraits traits;
  std::map<std::string, Bytes> blobs;
  std::map<std::string, Staged> uploads;
};

using Shared = std::shared_ptr<Guarded<Content>>;  // Shared by the store and its writers.

class MemoryReader final : public BlobReader {
 public:
  explicit MemoryReader(Bytes bytes) : bytes_(std::move(bytes)) {}

  [[nodiscard]] std::uint64_t size() const override { return bytes_->size(); }
  Result<std::size_t> read_at(std::uint64_t offset, std::span<std::byte> into) override {
    if (offset >= bytes_->size()) {
      return std::size_t{0};
    }
    const std::size_t n = std::min<std::size_t>(into.size(), bytes_->size() - offset);
    std::memcpy(into.data(), bytes_->data() + offset, n);
    return n;
  }
  [[nodiscard]] std::shared_ptr<const sys::File> file() const override { return nullptr; }

 private:
  Bytes bytes_;
};

class MemoryWriter final : public BlobWriter {
 public:
  MemoryWriter(Shared content, UploadToken token, bool checkpointed)
      : content_(std::move(content)), token_(std::move(token)), checkpointed_(checkpointed) {}
  ~MemoryWriter() override {
    if (open_ && !checkpointed_) {
      drop();
    }
  }

  Result<void> append(std::span<const std::byte> bytes) override {
    TRY(require_open());
    content_->with([&](Content& content) {
      Staged& staged = content.uploads[token_.uuid];
      staged.bytes.append(text_of(bytes));
      staged.written_at = std::chrono::steady_clock::now();
    });
    token_.hasher->update(bytes);
    token_.offset += bytes.size();
    return {};
  }
  [[nodiscard]] std::uint64_t offset() const override { return token_.offset; }

  Result<std::string> checkpoint() override {
    TRY(require_open());
    checkpointed_ = true;
    return token_.to_string();
  }

  Result<Location> commit(const Digest& expected) override {
    TRY(require_open());
    return content_->with([&](Content& content) -> Result<Location> {
      const auto staged = content.uploads.find(token_.uuid);
      std::string bytes = staged == content.uploads.end() ? "" : staged->second.bytes;
      const Digest actual = Digest::of(bytes, expected.algorithm());
      if (actual != expected) {
        return Error{Code::kDigestMismatch, Subject::kDigest,
                     "content does not have the digest it was announced under", actual.to_string()};
      }
      open_ = false;
      content.uploads.erase(token_.uuid);
      const std::string name =
          content.traits.own_locations ? "blobs/" + token_.uuid : expected.to_string();
      if (replace_) {
        content.blobs.erase(name);
      }
      content.blobs.try_emplace(name, std::make_shared<const std::string>(std::move(bytes)));
      return Location{name};
    });
  }

  void replace_existing() override { replace_ = true; }

  Result<void> discard() override {
    open_ = false;
    drop();
    return {};
  }

 private:
  Result<void> require_open() const {
    return open_ ? Result<void>() : internal::upload_unknown(token_.uuid);
  }
  void drop() {
    content_->with([&](Content& content) { content.uploads.erase(token_.uuid); });
  }

  Shared content_;
  UploadToken token_;
  bool checkpointed_;
  bool open_ = true;
  bool replace_ = false;
};

class MemoryStore final : public BlobStore {
 public:
  explicit MemoryStore(const StoreTraits& traits) {
    content_->with([&](Content& content) { content.traits = traits; });
  }

  [[nodiscard]] StoreTraits traits() const override {
    return content_->with([](const Content& content) { return content.traits; });
  }

  Result<std::uint64_t> stat(const Location& location) override {
    return TRY(find(location))->size();
  }

  Result<std::unique_ptr<BlobReader>> open(const Location& location) override {
    return std::make_unique<MemoryReader>(TRY(find(location)));
  }

  Result<std::unique_ptr<BlobWriter>> begin(Algorithm algorithm,
                                            std::uint64_t /*size_hint*/) override {
    return std::make_unique<MemoryWriter>(
        content_, UploadToken{sys::random_uuid(), 0, crypto::Hasher(algorithm)}, false);
  }

  Result<std::unique_ptr<BlobWriter>> resume(const std::string& text) override {
    UploadToken token = TRY(UploadToken::parse(text));
    const bool known = token.hasher && content_->with([&](Content& content) {
      const auto staged = content.uploads.find(token.uuid);
      if (staged == content.uploads.end() || staged->second.bytes.size() < token.offset) {
        return token.offset == 0;
      }
      staged->second.bytes.resize(token.offset);
      return true;
    });
    if (!known) {
      return internal::upload_unknown(token.uuid);
    }
    return std::make_unique<MemoryWriter>(content_, std::move(token), true);
  }

  Result<void> discard(const std::string& text) override {
    const UploadToken token = TRY(UploadToken::parse(text));
    content_->with([&](Content& content) { content.uploads.erase(token.uuid); });
    return {};
  }

  Result<void> check(const Location& location) const override {
    const auto digest = TRY(digest_at(location));
    // A file's path is none of ours.
    if (digest) {
      TRY(internal::digest_of(location));
    }
    return {};
  }
  Result<void> unlink(const Location& location) override {
    TRY(check(location));
    content_->with([&](Content& content) { content.blobs.erase(location.value); });
    return {};
  }
  Result<void> sync_removed(std::span<const Location> /*locations*/) override { return {}; }

  Result<std::vector<Location>> list(const std::string& cursor, std::size_t count) override {
    return content_->with([&](Content& content) {
      std::vector<Location> page;
      for (auto at = content.blobs.upper_bound(cursor);
           at != content.blobs.end() && page.size() < count; ++at) {
        page.push_back(Location{at->first});
      }
      return page;
    });
  }

  Result<std::vector<std::string>> stale_uploads(std::chrono::seconds age) override {
    const auto limit = std::chrono::steady_clock::now() - age;
    return content_->with([&](Content& content) {
      std::vector<std::string> tokens;
      for (const auto& [uuid, staged] : content.uploads) {
        if (staged.written_at <= limit) {
          tokens.push_back(UploadToken{uuid, 0, {}}.to_string());
        }
      }
      return tokens;
    });
  }

  Result<std::optional<std::uint64_t>> free_space() override {
    return std::optional<std::uint64_t>();
  }

 private:
  Result<Bytes> find(const Location& location) {
    TRY(check(location));
    return content_->with([&](Content& content) -> Result<Bytes> {
      const auto blob = content.blobs.find(location.value);
      if (blob == content.blobs.end()) {
        return internal::blob_unknown(location);
      }
      return blob->second;
    });
  }

  const Shared content_ = std::make_shared<Guarded<Content>>();
};

}  // namespace

std::unique_ptr<BlobStore> make_memory_store(const StoreTraits& traits) {
  return std::make_unique<MemoryStore>(traits);
}

}  // namespace roadstead::storage
