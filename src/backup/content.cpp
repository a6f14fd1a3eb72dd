#include "backup/internal/content.h"

#include <algorithm>
#include <vector>

#include <fmt/format.h>

#include "base/text.h"
#include "crypto/hasher.h"
#include "sys/copy.h"
#include "sys/process.h"

namespace roadstead::backup::internal {
namespace {

constexpr std::size_t kPiece = std::size_t{1} << 20U;

/// A file that takes its final name only when it is whole.
std::filesystem::path staged_name(const std::filesystem::path& target) {
  return target.string() + "." + sys::random_uuid() + ".new";
}

template <typename Read>
Result<void> pieces(Read&& read,
                    const std::function<Result<void>(std::span<const std::byte>)>& use) {
  std::vector<std::byte> buffer(kPiece);
  for (std::uint64_t offset = 0;;) {
    const std::size_t n = TRY(read(offset, std::span(buffer)));
    if (n > 0) {
      TRY(use(std::span<const std::byte>(buffer).first(n)));
    }
    offset += n;
    if (n < buffer.size()) {
      return {};
    }
  }
}

Error damaged(const RequiredBlob& blob, std::string_view how) {
  return Error{Code::kDigestMismatch, Subject::kBlob,
               fmt::format("{} is damaged in the store: {}", blob.digest.to_string(), how),
               blob.digest.to_string()};
}

/// Runs `fill` on a new file and renames it; removes it again when anything fails.
Result<void> place(const std::filesystem::path& target,
                   const std::function<Result<void>(const std::filesystem::path&)>& fill) {
  const std::filesystem::path staged = staged_name(target);
  Result<void> placed = fill(staged);
  if (placed) {
    placed = sys::rename(staged, target);
  }
  if (!placed) {
    static_cast<void>(sys::remove(staged));  // The first error is the one to tell.
  }
  return placed;
}

}  // namespace

Result<void> each_piece(storage::BlobReader& reader,
                        const std::function<Result<void>(std::span<const std::byte>)>& use) {
  return pieces(
      [&](std::uint64_t offset, std::span<std::byte> into) { return reader.read_at(offset, into); },
      use);
}

Result<void> each_piece(const sys::File& file,
                        const std::function<Result<void>(std::span<const std::byte>)>& use) {
  return pieces(
      [&](std::uint64_t offset, std::span<std::byte> into) { return file.read_at(offset, into); },
      use);
}

Result<model::Digest> digest_of_file(const std::filesystem::path& path,
                                     model::Algorithm algorithm) {
  const auto file = TRY(sys::File::open(path, sys::File::Mode::kRead));
  crypto::Hasher hasher(algorithm);
  TRY(each_piece(file, [&](std::span<const std::byte> bytes) -> Result<void> {
    hasher.update(bytes);
    return {};
  }));
  return model::Digest::from_hex(algorithm, hasher.hex_digest());
}

Result<void> place_file(const std::filesystem::path& target, std::string_view bytes) {
  return place(target, [&](const std::filesystem::path& staged) -> Result<void> {
    auto file = TRY(sys::File::open(staged, sys::File::Mode::kCreateNew));
    TRY(file.write_at(0, bytes_of(bytes)));
    return file.sync_data();
  });
}

Result<std::optional<std::uint64_t>> size_if_present(const std::filesystem::path& path) {
  const auto size = sys::file_size(path);
  if (size) {
    return std::optional(*size);
  }
  if (size.error().code == Code::kNotFound) {
    return std::optional<std::uint64_t>();
  }
  return size.error();
}

Result<ContentWriter::Outcome> ContentWriter::write(const RequiredBlob& blob,
                                                    const std::filesystem::path& target) {
  const auto present = TRY(size_if_present(target));
  if (present == static_cast<std::uint64_t>(blob.size)) {
    return Outcome::kPresent;
  }
  const auto reader = TRY(store_.open(blob.location));
  if (reader->size() != static_cast<std::uint64_t>(blob.size)) {
    return damaged(blob, fmt::format("{} bytes instead of {}", reader->size(), blob.size));
  }
  if (target.parent_path() != directory_made_) {
    TRY(sys::make_directories(target.parent_path()));
    directory_made_ = target.parent_path();
  }
  const auto file = reader->file();
  if (link_ && file != nullptr) {
    bool linked = false;
    const auto link_or_copy = [&](const std::filesystem::path& staged) -> Result<void> {
      linked = TRY(sys::link_file(*file, staged));
      return linked ? Result<void>() : copy(*reader, blob, staged);
    };
    TRY(place(target, link_or_copy));
    return linked ? Outcome::kLinked : Outcome::kCopied;
  }
  TRY(place(target,
            [&](const std::filesystem::path& staged) { return copy(*reader, blob, staged); }));
  return Outcome::kCopied;
}

Result<void> ContentWriter::copy(storage::BlobReader& reader, const RequiredBlob& blob,
                                 const std::filesystem::path& target) {
  auto file = TRY(sys::File::open(target, sys::File::Mode::kCreateNew));
  TRY(file.preallocate(0, reader.size()));
  crypto::Hasher hasher(blob.digest.algorithm());
  std::uint64_t offset = 0;
  const auto append = [&](std::span<const std::byte> bytes) -> Result<void> {
    hasher.update(bytes);
    TRY(file.write_at(offset, bytes));
    offset += bytes.size();
    return {};
  };
  TRY(each_piece(reader, append));
  if (hasher.hex_digest() != blob.digest.hex()) {
    return damaged(blob, "its bytes hash to another digest");
  }
  return file.sync_data();
}

}  // namespace roadstead::backup::internal
