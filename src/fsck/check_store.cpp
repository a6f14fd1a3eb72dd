#include <algorithm>
#include <chrono>
#include <set>

#include "crypto/hasher.h"
#include "fsck/internal/known_locations.h"
#include "fsck/internal/pass.h"
#include "storage/distribution_layout.h"

namespace roadstead::fsck::internal {
namespace {

constexpr std::size_t kPage = 500;
constexpr std::size_t kPiece = std::size_t{256} << 10U;
constexpr std::size_t kBlobsPage = 200;
/// How often a blob is looked at that others keep changing.
constexpr int kTriesMax = 3;
/// Far longer than between an upload's publishing and its row, in whatever process that is.
constexpr std::chrono::hours kSharedDelay{1};
/// An upload whose first part is not full yet is seen by its process only, and a slow client fills
/// one in hours.
constexpr std::chrono::hours kSharedAge{24};
/// Of locations that tell no digest; more are found by the next check.
constexpr std::size_t kNamelessMax = 100'000;

/// A token of stale_uploads() is what the tokens of the same upload begin with, up to a '/'.
void add_beginnings(std::set<std::string, std::less<>>& known, const std::string& token) {
  known.insert(token);
  for (std::size_t at = token.find('/'); at != std::string::npos; at = token.find('/', at + 1)) {
    known.insert(token.substr(0, at));
  }
}

Result<std::set<std::string, std::less<>>> tokens_of_uploads(Pass& pass) {
  std::set<std::string, std::less<>> known;
  for (std::string after;;) {
    const auto page = TRY(pass.stores.database.read(
        [&](db::ReadSession& session) { return registry::uploads_after(session, after, kPage); }));
    for (const registry::OpenUpload& upload : page) {
      add_beginnings(known, upload.token);
    }
    if (page.empty()) {
      return known;
    }
    after = page.back().id;
  }
}

struct Stray {
  storage::Location location;
  std::string digest;
};

/// Content that manifests refer to and whose row was lost: it gets its row back, with the edges to
/// it, if its bytes are what they should be.
Result<bool> adopt(Pass& pass, const Stray& stray, std::uint64_t size) {
  if (!pass.options.repair) {
    return false;
  }
  registry::BlobRow row;
  row.digest = stray.digest;
  row.location = stray.location;
  row.size = static_cast<std::int64_t>(size);
  const Verdict verdict =
      TRY(look_at(pass.stores.database, pass.stores.store, row, {.hash = true, .pace = {}}));
  if (verdict.state != State::kGood) {
    return false;
  }
  TRY(pass.stores.database.write([&](db::WriteSession& session) {
    return registry::adopt_blob(session, stray.digest, row.size, stray.location);
  }));
  const auto edges = pass.wanted.edges.find(stray.digest);
  for (const registry::MissingEdge& edge : edges->second) {
    TRY(pass.stores.database.write(
        [&](db::WriteSession& session) { return registry::restore_edge(session, edge); }));
  }
  return true;
}

Result<void> check_stray(Pass& pass, const Stray& stray) {
  // An upload publishes and then writes its row, both under this lock.
  const auto guard = pass.stores.locks.lock(stray.digest);
  const bool known = TRY(pass.stores.database.read([&](db::ReadSession& session) {
    return registry::is_accounted_for(session, stray.digest, stray.location);
  }));
  const auto size = pass.stores.store.stat(stray.location);
  if (known || (!size && size.error().code == Code::kNotFound)) {
    return {};
  }
  if (!size) {
    return size.error();
  }
  if (pass.wanted.edges.contains(stray.digest)) {
    const bool adopted = TRY(adopt(pass, stray, *size));
    if (adopted) {
      pass.wanted.adopted.insert(stray.digest);
    }
    pass.report.add({"blob_row_missing", stray.digest, "manifests refer to it", adopted});
    return {};
  }
  if (!pass.options.left_behind && storage::in_distribution_layout(stray.location)) {
    return {};
  }
  const auto queue = [&](db::WriteSession& session) -> Result<bool> {
    const auto delay = pass.stores.store.traits().shared ? kSharedDelay : std::chrono::hours(0);
    TRY(registry::queue_removal(session, stray.digest, stray.location, delay));
    return true;
  };
  const bool queued = pass.wanted.complete && TRY(pass.repair(queue));
  pass.report.add({"leaked_file", stray.digest, {}, queued});
  return {};
}

Result<std::vector<Stray>> strays_of(Pass& pass, const std::vector<storage::Location>& page) {
  return pass.stores.database.read([&](db::ReadSession& session) -> Result<std::vector<Stray>> {
    std::vector<Stray> strays;
    for (const storage::Location& location : page) {
      const auto digest = TRY(storage::digest_at(location));
      const std::string text = digest ? digest->to_string() : std::string();
      if (!TRY(registry::is_accounted_for(session, text, location))) {
        strays.push_back({location, text});
      }
    }
    return strays;
  });
}

/// Of content whose location does not tell what it is. Only now that it is a stray is it read: what
/// follows goes by digests.
Result<void> check_nameless(Pass& pass, Stray stray) {
  if (!pass.options.repair && pass.wanted.edges.empty()) {
    pass.report.add({"leaked_file", stray.location.value, {}, false});
    return {};
  }
  const auto reader = pass.stores.store.open(stray.location);
  if (!reader) {
    return reader.error().code == Code::kNotFound ? Result<void>() : reader.error();
  }
  crypto::Hasher hasher(model::Algorithm::kSha256);
  std::vector<std::byte> piece(kPiece);
  while (hasher.length() < (*reader)->size()) {
    TRY(pass.go_on());
    const std::size_t n = TRY((*reader)->read_at(hasher.length(), piece));
    if (n == 0) {
      return {};
    }
    hasher.update(std::span(piece).first(n));
  }
  stray.digest = "sha256:" + hasher.hex_digest();
  return check_stray(pass, stray);
}

/// After all locations were listed: an upload that had published by then has its row by now.
Result<void> check_all_nameless(Pass& pass, KnownLocations& known, std::vector<Stray> strays) {
  TRY(known.refresh(pass.stores.database));
  for (Stray& stray : strays) {
    TRY(pass.go_on());
    if (!known.contains(stray.location)) {
      TRY(check_nameless(pass, std::move(stray)));
    }
  }
  return {};
}

/// Found damaged before. Only reading all of it can tell that it is not any more.
Result<void> check_marked(Pass& pass, const registry::BlobRow& blob, const Verdict& verdict) {
  const bool sound = pass.options.deep && verdict.state == State::kGood;
  const bool repaired = sound && pass.options.repair && TRY(record(pass.stores, blob, verdict));
  pass.report.add({"blob_damaged", blob.digest,
                   sound ? "it was found damaged, and is good now"
                         : "it was found damaged; pushing it again heals it",
                   repaired});
  return {};
}

/// False when somebody changed the blob meanwhile: it is to be looked at again.
Result<bool> check_blob(Pass& pass, const registry::BlobRow& blob) {
  const auto pace = [&](std::size_t bytes) {
    pass.report.bytes += bytes;
    return !pass.stop.stop_requested();
  };
  const Verdict verdict = TRY(look_at(pass.stores.database, pass.stores.store, blob,
                                      {.hash = pass.options.deep, .pace = pace}));
  if (blob.damaged_at) {
    TRY(check_marked(pass, blob, verdict));
    return true;
  }
  if (verdict.state == State::kGood) {
    return true;
  }
  const bool stands = TRY(pass.options.repair ? record(pass.stores, blob, verdict)
                                              : still_stands(pass.stores, blob, verdict));
  if (stands) {
    pass.report.add({std::string(kind_of(verdict.state)), blob.digest,
                     pass.options.repair ? "marked as damaged; pushing it again heals it" : "",
                     false});
  }
  return stands;
}

Result<void> check_blob_until_it_rests(Pass& pass, registry::BlobRow blob) {
  for (int i = 0; i < kTriesMax; ++i) {
    TRY(pass.go_on());
    if (TRY(check_blob(pass, blob))) {
      return {};
    }
    auto now = TRY(pass.stores.database.read(
        [&](db::ReadSession& session) { return registry::find_blob_row(session, blob.digest); }));
    if (!now) {
      return {};
    }
    blob = std::move(*now);
  }
  return {};
}

}  // namespace

Result<void> check_staged(Pass& pass) {
  const bool shared = pass.stores.store.traits().shared;
  const auto age = shared ? std::max<std::chrono::seconds>(pass.options.staged_age, kSharedAge)
                          : pass.options.staged_age;
  const auto staged = TRY(pass.stores.store.stale_uploads(age));
  if (staged.empty()) {
    return {};
  }
  const auto known = TRY(tokens_of_uploads(pass));
  for (const std::string& token : staged) {
    TRY(pass.go_on());
    ++pass.report.files;
    if (known.contains(token)) {
      continue;
    }
    // No answer told anybody of these bytes: a request ended without leaving a row.
    bool discarded = false;
    if (pass.options.repair) {
      TRY(pass.stores.store.discard(token));
      discarded = true;
    }
    pass.report.add({"leaked_upload", token, {}, discarded});
  }
  return {};
}

Result<void> check_files(Pass& pass) {
  KnownLocations known;
  std::vector<Stray> nameless;
  if (pass.stores.store.traits().own_locations) {
    TRY(known.refresh(pass.stores.database));
  }
  for (std::string cursor;;) {
    TRY(pass.go_on());
    const auto page = TRY(pass.stores.store.list(cursor, kPage));
    if (page.empty()) {
      break;
    }
    pass.report.files += page.size();
    std::vector<Stray> strays = TRY(strays_of(pass, page));
    for (Stray& stray : strays) {
      if (!stray.digest.empty()) {
        TRY(check_stray(pass, stray));
      } else if (!known.contains(stray.location) && nameless.size() < kNamelessMax) {
        nameless.push_back(std::move(stray));
      }
    }
    cursor = page.back().value;
  }
  TRY(check_all_nameless(pass, known, std::move(nameless)));
  for (const auto& [digest, edges] : pass.wanted.edges) {
    const bool back = pass.wanted.adopted.contains(digest);
    for (const registry::MissingEdge& edge : edges) {
      pass.report.add({"edge_missing", edge.object, std::string(back ? "" : kTargetLost), back});
    }
  }
  return {};
}

Result<void> check_blobs(Pass& pass) {
  for (BlobId after;;) {
    const auto page = TRY(pass.stores.database.read([&](db::ReadSession& session) {
      return registry::blobs_after(session, after, kBlobsPage);
    }));
    if (page.empty()) {
      return {};
    }
    for (const registry::BlobRow& blob : page) {
      TRY(check_blob_until_it_rests(pass, blob));
      ++pass.report.blobs;
    }
    after = page.back().id;
  }
}

}  // namespace roadstead::fsck::internal
