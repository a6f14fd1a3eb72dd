#pragma once

#include <cstdint>
#include <functional>
#include <string_view>

#include "base/result.h"
#include "db/database.h"
#include "registry/check.h"
#include "storage/blob_store.h"
#include "storage/digest_locks.h"

namespace roadstead::fsck::internal {

/// What a blob's bytes turned out to be.
enum class State { kGood, kMissing, kWrongSize, kCorrupt };
/// "blob_missing", "blob_size", "blob_corrupt"; "" for kGood.
std::string_view kind_of(State state);

struct Verdict {
  State state = State::kGood;
  std::uint64_t size = 0;  ///< Of what is there.
};

/// Told after each piece of so many bytes that was read; false ends the reading.
using Pace = std::function<bool(std::size_t bytes)>;
struct Reading {
  bool hash = false;  ///< Reads everything; else only the length is compared.
  Pace pace;          ///< May be empty.
};
/// Never holds a session while it reads. Errors: kUnavailable + kNone when `pace` ended it; those
/// of the store.
Result<Verdict> look_at(db::Database& database, storage::BlobStore& store,
                        const registry::BlobRow& blob, const Reading& reading);

struct Stores {
  db::Database& database;
  storage::BlobStore& store;
  storage::DigestLocks& locks;
};
/// Records a verdict that was reached without any lock: marks the blob as damaged, or as verified.
/// Under the digest's lock row and length are compared again; false when either is no longer what
/// the verdict is about, which then says nothing.
Result<bool> record(const Stores& stores, const registry::BlobRow& blob, const Verdict& verdict);
/// Whether a verdict still stands, without recording it.
Result<bool> still_stands(const Stores& stores, const registry::BlobRow& blob,
                          const Verdict& verdict);

}  // namespace roadstead::fsck::internal
