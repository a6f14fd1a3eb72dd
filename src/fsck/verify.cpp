#include "fsck/internal/verify.h"

#include <algorithm>
#include <vector>

#include "crypto/hasher.h"
#include "model/digest.h"

namespace roadstead::fsck::internal {
namespace {

constexpr std::size_t kPiece = std::size_t{256} << 10U;

Result<bool> hashes_right(storage::BlobReader& reader, const model::Digest& digest,
                          const Pace& pace) {
  crypto::Hasher hasher(digest.algorithm());
  std::vector<std::byte> buffer(
      static_cast<std::size_t>(std::min<std::uint64_t>(kPiece, reader.size())));
  while (hasher.length() < reader.size()) {
    const std::size_t n = TRY(reader.read_at(hasher.length(), buffer));
    if (n == 0) {
      return false;  // It became shorter under our eyes.
    }
    hasher.update(std::span(buffer).first(n));
    if (pace && !pace(n)) {
      return Error{Code::kUnavailable, Subject::kNone, "reading was ended", {}};
    }
  }
  return hasher.hex_digest() == digest.hex();
}

/// The length of what lies there now; nothing when nothing does.
Result<std::optional<std::uint64_t>> length_at(storage::BlobStore& store,
                                               const storage::Location& location) {
  const auto size = store.stat(location);
  if (!size && size.error().code == Code::kNotFound) {
    return std::optional<std::uint64_t>();
  }
  return std::optional(TRY(size));
}

Result<Verdict> look_at_row(db::Database& database, const registry::BlobRow& blob, bool hash) {
  const auto content = TRY(database.read(
      [&](db::ReadSession& session) { return registry::inline_content(session, blob); }));
  if (!content) {
    return Verdict{State::kMissing, 0};
  }
  if (content->size() != static_cast<std::uint64_t>(blob.size)) {
    return Verdict{State::kWrongSize, content->size()};
  }
  const auto digest = TRY(model::Digest::parse(blob.digest));
  const bool right = !hash || model::Digest::of(*content, digest.algorithm()) == digest;
  return Verdict{right ? State::kGood : State::kCorrupt, content->size()};
}

Result<bool> length_unchanged(const Stores& stores, const registry::BlobRow& blob,
                              const Verdict& verdict) {
  if (registry::is_inline(blob)) {
    // Such content changes only together with what its row says of it.
    return true;
  }
  const auto length = TRY(length_at(stores.store, blob.location));
  if (verdict.state == State::kMissing) {
    return !length.has_value();
  }
  return length == verdict.size;
}

}  // namespace

std::string_view kind_of(State state) {
  switch (state) {
    case State::kGood:
      return "";
    case State::kMissing:
      return "blob_missing";
    case State::kWrongSize:
      return "blob_size";
    case State::kCorrupt:
      return "blob_corrupt";
  }
  return "";
}

Result<Verdict> look_at(db::Database& database, storage::BlobStore& store,
                        const registry::BlobRow& blob, const Reading& reading) {
  if (registry::is_inline(blob)) {
    return look_at_row(database, blob, reading.hash);
  }
  // By its name: a store may still have open what lost it.
  const auto length = TRY(length_at(store, blob.location));
  if (!length) {
    return Verdict{State::kMissing, 0};
  }
  if (*length != static_cast<std::uint64_t>(blob.size)) {
    return Verdict{State::kWrongSize, *length};
  }
  if (!reading.hash) {
    return Verdict{State::kGood, *length};
  }
  const auto reader = store.open(blob.location);
  if (!reader) {
    if (reader.error().code == Code::kNotFound) {
      return Verdict{State::kMissing, 0};
    }
    return reader.error();
  }
  const std::uint64_t size = (*reader)->size();
  if (size != static_cast<std::uint64_t>(blob.size)) {
    return Verdict{State::kWrongSize, size};
  }
  const auto digest = TRY(model::Digest::parse(blob.digest));
  const bool right = TRY(hashes_right(**reader, digest, reading.pace));
  return Verdict{right ? State::kGood : State::kCorrupt, size};
}

Result<bool> record(const Stores& stores, const registry::BlobRow& blob, const Verdict& verdict) {
  const auto guard = stores.locks.lock(blob.digest);
  if (!TRY(length_unchanged(stores, blob, verdict))) {
    return false;
  }
  if (verdict.state == State::kGood) {
    // What a loss of power forgets is only read once more.
    const auto durability =
        blob.damaged_at ? db::Durability::kPowerLoss : db::Durability::kProcessDeath;
    return stores.database.write(
        [&](db::WriteSession& session) { return registry::mark_verified(session, blob); },
        durability);
  }
  return stores.database.write([&](db::WriteSession& session) {
    return registry::mark_damaged(session, blob, kind_of(verdict.state));
  });
}

Result<bool> still_stands(const Stores& stores, const registry::BlobRow& blob,
                          const Verdict& verdict) {
  const auto guard = stores.locks.lock(blob.digest);
  const auto now = TRY(stores.database.read(
      [&](db::ReadSession& session) { return registry::find_blob_row(session, blob.digest); }));
  if (!now || now->id != blob.id || now->size != blob.size ||
      now->verified_at != blob.verified_at || now->location != blob.location) {
    return false;
  }
  return length_unchanged(stores, blob, verdict);
}

}  // namespace roadstead::fsck::internal
