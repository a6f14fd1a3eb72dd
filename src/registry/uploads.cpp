#include "registry/internal/content.h"
#include "registry/internal/mount.h"
#include "registry/internal/place.h"
#include "registry/internal/quota.h"
#include "registry/internal/upload_id.h"
#include "registry/internal/upload_state.h"
#include "sys/process.h"

namespace roadstead::registry {

using internal::UploadRow;

namespace {

constexpr std::size_t kStaleMax = 1000;
/// Looking for staged bytes costs requests where the store is not here.
constexpr std::chrono::minutes kStaleEvery{15};
constexpr std::chrono::milliseconds kFreeSpaceFresh{50};
/// Loss of power voids the staged bytes, so the rows that only tell of them need no sync.
constexpr auto kVoid = db::Durability::kProcessDeath;

}  // namespace

Uploads::Uploads(db::Database& database, storage::BlobStore& store, storage::DigestLocks& locks,
                 Options options)
    : state_(std::make_unique<State>(database, store, locks, std::move(options))) {}

Uploads::~Uploads() = default;

Result<void> Uploads::State::check_space(std::uint64_t incoming) {
  const auto now = std::chrono::steady_clock::now();
  FreeSpace room = free_space_.with([](const FreeSpace& known) { return known; });
  if (now - room.read_at > kFreeSpaceFresh) {
    room = {now, TRY(store.free_space())};
    free_space_.with([&](FreeSpace& known) { known = room; });
  }
  const std::uint64_t floor = options.free_space_floor.value;
  if (room.bytes && (*room.bytes < floor || *room.bytes - floor < incoming)) {
    return Error{Code::kUnavailable, Subject::kStorage, "no room for uploads at the moment", {}};
  }
  return {};
}

Result<void> Uploads::State::check_quota(const internal::Room& room, ProjectId project,
                                         std::uint64_t incoming) {
  const internal::Quota& quota = room.quota;
  if (quota.unlimited()) {
    return {};
  }
  const std::int64_t staged =
      room.staged + static_cast<std::int64_t>(active.reserved(project) + incoming);
  if (quota.used > quota.limit || staged > quota.limit - quota.used) {
    return internal::quota_exceeded(quota, staged);
  }
  return {};
}

void Uploads::State::end(const std::string& id) {
  ended_.with([&](LruMap<char>& ended) { ended.put(id, 0); });
  changes.fetch_add(1, std::memory_order_release);
}

Result<void> Uploads::State::discard_staged(const std::string& token) {
  return internal::algorithm_of_new(token) ? Result<void>() : store.discard(token);
}

bool Uploads::State::has_ended(const std::string& id) {
  return ended_.with([&](LruMap<char>& ended) { return ended.find(id) != nullptr; });
}

Result<UploadStatus> Uploads::start(const Caller& caller, const model::RepositoryName& repository,
                                    model::Algorithm algorithm) {
  std::string id;
  const auto promise = [&](db::ReadSession& session) -> Result<void> {
    const Time until = session.now() + state_->options.upload_lifetime;
    const auto [place, room] = TRY(internal::find_place_with_room(session, caller, repository));
    TRY(state_->check_quota(room, place.project, 0));
    id = internal::make_upload_id(state_->options.upload_key, {place.project, repository},
                                  {algorithm, until});
    return {};
  };
  TRY(state_->database.read_once(promise));
  TRY(state_->check_space(0));
  return UploadStatus{std::move(id), 0};
}

Result<bool> Uploads::mount(const Caller& caller, const model::RepositoryName& repository,
                            const model::Digest& digest,
                            const std::optional<model::RepositoryName>& from) {
  ProjectId project;
  std::optional<internal::Held> source;
  const auto find = [&](db::ReadSession& session) -> Result<void> {
    const auto place = TRY(internal::find_place(session, caller, repository));
    project = place.project;
    source = TRY(from ? internal::find_source(session, caller, *from, digest)
                      : internal::find_any_source(session, caller, digest));
    return {};
  };
  TRY(state_->database.read(find));
  if (!source) {
    return false;
  }
  return state_->database.write([&](db::WriteSession& session) -> Result<bool> {
    // The row is all that content needs to stay: whoever removes it queues the content only then.
    const auto held = TRY(internal::find_intact(session, digest));
    if (!held || held->blob != source->blob) {
      return false;
    }
    internal::Holder holder{project, {}};
    holder.repository =
        TRY(internal::ensure_repository(session, project, repository, internal::Use::kHold));
    TRY(internal::lease_blob(session, state_->options, holder, *held));
    return true;
  });
}

Result<std::unique_ptr<UploadSession>> Uploads::open(const Caller& caller,
                                                     const model::RepositoryName& repository,
                                                     std::string_view id, const Chunk& chunk) {
  internal::SessionTarget target{{}, repository, caller.principal.label(), state_->changes.load()};
  auto seen = TRY(state_->database.read_once(
      [&](db::ReadSession& session) { return find(session, caller, repository, id); }));
  target.row = std::move(seen.row);
  // A chunk out of order must not disturb a request that is writing.
  TRY(internal::check_order(chunk, target.row));
  TRY(state_->check_quota(seen.room, target.row.project, chunk.length.value_or(0)));
  if (!target.row.stored && !chunk.last) {
    target.few_are_open = internal::few_are_open(state_->options, seen.open);
    TRY(target.few_are_open ? Result<void>() : check_limits(target));
  }
  TRY(state_->check_space(chunk.length.value_or(0)));
  if (state_->shared() && target.row.stored) {
    const auto claim = [&](db::WriteSession& session) {
      return internal::claim_upload(session, state_->options, target.row);
    };
    target.row = TRY(state_->database.write(claim, kVoid));
  }
  return internal::open_session(*state_, std::move(target), chunk);
}

Result<std::unique_ptr<UploadSession>> Uploads::open_single(const Caller& caller,
                                                            const model::RepositoryName& repository,
                                                            model::Algorithm algorithm,
                                                            std::optional<std::uint64_t> length) {
  internal::SessionTarget target{{}, repository, caller.principal.label(), state_->changes.load()};
  target.row.id = sys::random_uuid();
  target.row.token = internal::new_upload_token(algorithm);
  target.row.stored = false;
  target.single = true;
  const auto [place, room] = TRY(state_->database.read_once([&](db::ReadSession& session) {
    return internal::find_place_with_room(session, caller, repository);
  }));
  target.row.project = place.project;
  TRY(state_->check_quota(room, place.project, length.value_or(0)));
  TRY(state_->check_space(length.value_or(0)));
  return internal::open_session(*state_, std::move(target), {std::nullopt, length, true});
}

Result<void> Uploads::check_limits(const internal::SessionTarget& target) {
  const auto running = [&](const std::string& other) { return state_->active.contains(other); };
  return state_->database.read([&](db::ReadSession& session) {
    return internal::check_upload_limits(session, state_->options,
                                         {target.row.project, target.identity}, running);
  });
}

Result<internal::SeenUpload> Uploads::find(db::ReadSession& session, const Caller& caller,
                                           const model::RepositoryName& repository,
                                           std::string_view id) {
  auto seen = TRY(internal::read_upload(session, state_->options, caller, repository, id));
  if (!seen.row.stored && state_->has_ended(seen.row.id)) {
    return internal::upload_unknown(id);
  }
  return seen;
}

Result<UploadStatus> Uploads::status(const Caller& caller, const model::RepositoryName& repository,
                                     std::string_view id) {
  auto seen = TRY(state_->database.read_once(
      [&](db::ReadSession& session) { return find(session, caller, repository, id); }));
  return UploadStatus{std::move(seen.row.id), seen.row.offset};
}

Result<void> Uploads::cancel(const Caller& caller, const model::RepositoryName& repository,
                             std::string_view id) {
  const UploadRow seen = TRY(state_->database.read_once([&](db::ReadSession& session) {
                           return find(session, caller, repository, id);
                         })).row;
  std::string token;
  if (seen.stored) {
    // Claimed first, so that a request that is writing now can no longer save or commit.
    const auto end = [&](db::WriteSession& session) -> Result<void> {
      const UploadRow row = TRY(internal::claim_upload(session, state_->options, seen));
      token = row.token;
      return internal::finish_upload(session, row);
    };
    TRY(state_->database.write(end, kVoid));
  }
  state_->end(seen.id);
  state_->active.stop(seen.id);
  if (!token.empty()) {
    static_cast<void>(state_->discard_staged(token));  // Otherwise reap() finds it.
  }
  return {};
}

Result<std::size_t> Uploads::reap(std::size_t count) {
  const auto expired = TRY(state_->database.read(
      [&](db::ReadSession& session) { return internal::expired_uploads(session, count); }));
  std::size_t removed = 0;
  for (const auto& upload : expired) {
    if (state_->active.contains(upload.id)) {
      continue;  // It will move its expiry.
    }
    const bool gone = TRY(state_->database.write(
        [&](db::WriteSession& session) { return internal::remove_expired(session, upload.id); }));
    if (gone) {
      state_->end(upload.id);
      ++removed;
      TRY(state_->discard_staged(upload.token));
    }
  }
  // Staged bytes that no row names any more: a process died, or a discard failed.
  const auto now = std::chrono::steady_clock::now();
  if (state_->store.traits().remote && now < state_->stale_at) {
    return removed;
  }
  state_->stale_at = now + kStaleEvery;
  const auto stale = TRY(state_->store.stale_uploads(2 * state_->options.upload_lifetime));
  for (std::size_t i = 0; i < std::min(stale.size(), kStaleMax); ++i) {
    TRY(state_->store.discard(stale[i]));
  }
  return removed;
}

std::size_t Uploads::running() const {
  return state_->active.count();
}

}  // namespace roadstead::registry
