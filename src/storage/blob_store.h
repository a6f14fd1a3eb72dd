#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "model/digest.h"
#include "sys/file.h"

namespace roadstead::storage {

/// Where a blob's bytes lie, as the `blob.location` column keeps it. Opaque outside storage/.
struct Location {
  std::string value;
  auto operator<=>(const Location&) const = default;
};

/// A blob opened for reading. Used by one thread at a time.
class BlobReader {
 public:
  virtual ~BlobReader() = default;
  [[nodiscard]] virtual std::uint64_t size() const = 0;
  /// Reads until `into` is full or the blob ends; returns the bytes read.
  virtual Result<std::size_t> read_at(std::uint64_t offset, std::span<std::byte> into) = 0;
  /// The open file that holds exactly the blob, for sendfile; null when the bytes are not in a
  /// file.
  [[nodiscard]] virtual std::shared_ptr<const sys::File> file() const = 0;
};

/// One upload in progress. Used by one thread at a time. Destroying a writer keeps what the last
/// checkpoint() covered; a writer that was never checkpointed is discarded.
class BlobWriter {
 public:
  virtual ~BlobWriter() = default;
  /// Hashes and stores. Errors: kUnavailable + kStorage when the disk is full; the writer can then
  /// only be discarded or resumed.
  virtual Result<void> append(std::span<const std::byte> bytes) = 0;
  [[nodiscard]] virtual std::uint64_t offset() const = 0;
  /// A token from which resume() goes on at offset(), also in another process. Bytes before it
  /// survive kill -9, not power loss.
  virtual Result<std::string> checkpoint() = 0;
  /// Publishes the bytes under `expected`; on success they survive a crash of the machine. Content
  /// that does not hash to it publishes nothing and discards nothing: kDigestMismatch + kDigest.
  /// Only a digest of another algorithm than the writer's costs a re-read, and a store that can
  /// read only what is complete discards what turns out to be other content then. Call it while
  /// holding the digest's DigestLocks entry together with the row that will name the location.
  virtual Result<Location> commit(const model::Digest& expected) = 0;
  /// Makes commit() replace what already lies under the digest instead of taking it for its own
  /// bytes: for content that is known to be damaged.
  virtual void replace_existing() = 0;
  /// Removes what was staged. The writer is unusable afterwards.
  virtual Result<void> discard() = 0;
};

/// The digest of what lies at a location, where stores name content by it; nothing for a location
/// of its own (StoreTraits). Errors: kInvalid + kBlob: no location.
Result<std::optional<model::Digest>> digest_at(const Location& location);

/// What those who use a store must know of its kind.
struct StoreTraits {
  /// Other processes may be writing into it: nothing is left behind merely because this process
  /// does not know of it.
  bool shared = false;
  /// Whatever it does waits for a network: not for a thread that must not wait. Readers may find
  /// the rest of a large blob gone once it was removed.
  bool remote = false;
  /// Each commit publishes at a location of its own, whatever lies elsewhere. Then nobody publishes
  /// where somebody else removes, and a location says nothing of the content.
  bool own_locations = false;
};

/// Headers that a store answers with when it is asked by a URL; empty ones are the store's choice.
struct UrlHeaders {
  std::string content_type;
  std::string cache_control;
};

/// What an opened blob is wanted for. Only how it is asked for depends on that.
enum class Reading : std::uint8_t {
  kWhole,  ///< From its beginning to its end.
  kParts,  ///< Somewhere, or not at all.
};

/// An ability of some stores: URLs with which anybody may read one blob for a while. Thread-safe.
class PresignedUrls {
 public:
  virtual ~PresignedUrls() = default;
  virtual Result<std::string> url(const Location& location, std::chrono::seconds lifetime,
                                  const UrlHeaders& headers) = 0;
};

/// Bytes addressed by digest. A blob is absent, or complete and verified; no reader sees a partial
/// one, not even after a crash. All methods may be called from any thread. Every implementation
/// passes BlobStoreContract (storage/testing/).
class BlobStore {
 public:
  virtual ~BlobStore() = default;

  [[nodiscard]] virtual StoreTraits traits() const { return {}; }
  /// Size in bytes. Errors: kNotFound + kBlob.
  virtual Result<std::uint64_t> stat(const Location& location) = 0;
  /// To read all of it, as most do. Errors: kNotFound + kBlob.
  virtual Result<std::unique_ptr<BlobReader>> open(const Location& location) = 0;
  /// As open(), for those who only want the content and know its digest: what they get may be a
  /// copy nearby that was verified.
  virtual Result<std::unique_ptr<BlobReader>> open_copy(const Location& location,
                                                        const model::Digest& /*content*/,
                                                        Reading /*reading*/) {
    return open(location);
  }
  /// Starts an upload that no reader can see until it is committed. `size_hint` preallocates; 0
  /// when unknown.
  virtual Result<std::unique_ptr<BlobWriter>> begin(model::Algorithm algorithm,
                                                    std::uint64_t size_hint) = 0;
  /// Goes on from a checkpoint: staged bytes behind it are cut off. Errors: kNotFound + kUpload
  /// when the staged bytes are gone or shorter than the checkpoint.
  virtual Result<std::unique_ptr<BlobWriter>> resume(const std::string& token) = 0;
  /// Discards the staged bytes of a checkpoint; absent ones are success. A token of stale_uploads()
  /// is what the checkpoints' tokens of the same upload begin with, up to a '/'.
  virtual Result<void> discard(const std::string& token) = 0;
  /// Removes published blobs; an absent one is success, so that collection can be retried. Durable
  /// when it returns.
  Result<void> remove(std::span<const Location> locations) {
    for (const Location& location : locations) {
      TRY(check(location));
    }
    for (const Location& location : locations) {
      TRY(unlink(location));
    }
    return sync_removed(locations);
  }
  /// The two halves of remove(), for those who hold a lock for the first and take the second for
  /// many at once: until sync_removed() a loss of power may bring the blob back, and where each
  /// upload has a location of its own it may still be there. Only what was unlinked may be named to
  /// sync_removed().
  virtual Result<void> unlink(const Location& location) = 0;
  virtual Result<void> sync_removed(std::span<const Location> locations) = 0;
  /// One page of published locations after `cursor` ("" for the first), at most `count`, for the
  /// checker. Empty at the end.
  virtual Result<std::vector<Location>> list(const std::string& cursor, std::size_t count) = 0;
  /// Staged uploads last written before `age` ago, as tokens for discard(): what crashes left
  /// behind.
  virtual Result<std::vector<std::string>> stale_uploads(std::chrono::seconds age) = 0;
  /// Bytes that can still be stored, or nothing when the store has no such limit.
  virtual Result<std::optional<std::uint64_t>> free_space() = 0;
  /// Null where there are none.
  virtual PresignedUrls* presigned_urls() { return nullptr; }
  /// Whether this store may ever have given it out. Errors: kInvalid + kBlob.
  [[nodiscard]] virtual Result<void> check(const Location& location) const = 0;
};

}  // namespace roadstead::storage
