#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <span>
#include <string>

#include "backup/internal/contents.h"
#include "base/result.h"
#include "storage/blob_store.h"
#include "sys/file.h"

namespace roadstead::backup::internal {

/// Reads all of something in pieces and hands them on, until `use` fails.
Result<void> each_piece(storage::BlobReader& reader,
                        const std::function<Result<void>(std::span<const std::byte>)>& use);
Result<void> each_piece(const sys::File& file,
                        const std::function<Result<void>(std::span<const std::byte>)>& use);

/// What the file's bytes hash to.
Result<model::Digest> digest_of_file(const std::filesystem::path& path, model::Algorithm algorithm);

/// Writes blobs from a store into files of their own.
class ContentWriter {
 public:
  /// `link`: give the store's own file a second name where the file system can.
  ContentWriter(storage::BlobStore& store, bool link) : store_(store), link_(link) {}

  enum class Outcome : std::uint8_t { kPresent, kCopied, kLinked };
  /// Makes `target` hold the blob. A file of the right size there is taken for it: it appeared by
  /// rename after its bytes were synced, so it is whole. Copied bytes are hashed on the way.
  /// Errors: kNotFound + kBlob and kDigestMismatch + kBlob when the store has not got what its
  /// database says; the target is then not written.
  Result<Outcome> write(const RequiredBlob& blob, const std::filesystem::path& target);

 private:
  Result<void> copy(storage::BlobReader& reader, const RequiredBlob& blob,
                    const std::filesystem::path& target);
  storage::BlobStore& store_;
  bool link_;
  std::filesystem::path directory_made_;  ///< The last one, which the next target often shares.
};

/// Bytes into a new file, synced, then renamed to `target`.
Result<void> place_file(const std::filesystem::path& target, std::string_view bytes);

/// Size of a file, or nothing when it is absent.
Result<std::optional<std::uint64_t>> size_if_present(const std::filesystem::path& path);

}  // namespace roadstead::backup::internal
