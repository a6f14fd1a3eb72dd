#include "registry/internal/content.h"
#include "registry/internal/mount.h"
#include "registry/internal/place.h"
#include "registry/internal/quota.h"
#include "registry/internal/upload_state.h"
#include "sys/process.h"

namespace roadstead::registry {

using internal::UploadRow;

namespace {

constexpr std::size_t kStaleMax = 1000;
/// Loss of power voids the staged bytes, so the rows that only tell of them need no sync.
constexpr auto kVoid = db::Durability::kProcessDeath;

}  // namespace

Uploads::Uploads(db::Database& database, storage::BlobStore& store, storage::DigestLocks& locks,
                 Options options)
    : state_(std::make_unique<State>(database, store, locks, std::move(options))) {}

Uploads::~Uploads() = default;

Result<void> Uploads::State::check_room(ProjectId project, std::uint64_t incoming) {
  const auto room = TRY(store.free_space());
  const std::uint64_t floor = options.free_space_floor.value;
  if (room && (*room < floor || *room - floor < incoming)) {
    return Error{Code::kUnavailable, Subject::kStorage, "no room for uploads at the moment", {}};
  }
  internal::Quota quota;
  std::int64_t staged = 0;
  const auto sum_up = [&](db::ReadSession& session) -> Result<void> {
    quota = TRY(internal::read_quota(session, project));
    if (!quota.unlimited()) {
      staged = TRY(internal::staged_bytes(session, project));
    }
    return {};
  };
  TRY(database.read(sum_up));
  if (quota.unlimited()) {
    return {};
  }
  staged += static_cast<std::int64_t>(active.reserved(project) + incoming);
  if (quota.used > quota.limit || staged > quota.limit - quota.used) {
    return internal::quota_exceeded(quota, staged);
  }
  return {};
}

Result<UploadStatus> Uploads::start(const Caller& caller, const model::RepositoryName& repository,
                                    model::Algorithm algorithm) {
  const internal::Place place = TRY(state_->database.read(
      [&](db::ReadSession& session) { return internal::find_place(session, caller, repository); }));
  TRY(state_->check_room(place.project, 0));
  internal::NewUpload upload{
      sys::random_uuid(), place.project, {}, caller.principal.label(), algorithm};
  std::vector<std::string> evicted;
  const auto running = [&](const std::string& id) { return state_->active.contains(id); };
  const auto insert = [&](db::WriteSession& session) -> Result<void> {
    upload.repository = TRY(internal::ensure_repository(session, place.project, repository));
    evicted = TRY(internal::insert_upload(session, state_->options, upload, running));
    return {};
  };
  TRY(state_->database.write(insert, kVoid));
  for (const std::string& token : evicted) {
    if (!internal::algorithm_of_new(token)) {
      static_cast<void>(state_->store.discard(token));  // Otherwise reap() finds it.
    }
  }
  return UploadStatus{std::move(upload.id), 0};
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
    const auto held = TRY(internal::find_held(session, digest));
    if (!held || held->blob != source->blob) {
      return false;
    }
    internal::Holder holder{project, {}};
    holder.repository = TRY(internal::ensure_repository(session, project, repository));
    TRY(internal::lease_blob(session, state_->options, holder, *held));
    return true;
  });
}

Result<std::unique_ptr<UploadSession>> Uploads::open(const Caller& caller,
                                                     const model::RepositoryName& repository,
                                                     std::string_view id, const Chunk& chunk) {
  const UploadRow seen = TRY(state_->database.read([&](db::ReadSession& session) {
    return internal::read_upload(session, state_->options, caller, repository, id);
  }));
  // A chunk out of order must not disturb a request that is writing.
  TRY(internal::check_order(chunk, seen));
  TRY(state_->check_room(seen.project, chunk.length.value_or(0)));
  if (!state_->shared()) {
    return internal::open_session(*state_, {seen, true, repository}, chunk);
  }
  UploadRow row = TRY(state_->database.write(
      [&](db::WriteSession& session) {
        return internal::claim_upload(session, state_->options, seen);
      },
      kVoid));
  return internal::open_session(*state_, {std::move(row), true, repository}, chunk);
}

Result<std::unique_ptr<UploadSession>> Uploads::open_single(const Caller& caller,
                                                            const model::RepositoryName& repository,
                                                            model::Algorithm algorithm,
                                                            std::optional<std::uint64_t> length) {
  const internal::Place place = TRY(state_->database.read(
      [&](db::ReadSession& session) { return internal::find_place(session, caller, repository); }));
  TRY(state_->check_room(place.project, length.value_or(0)));
  UploadRow row;
  row.id = sys::random_uuid();
  row.project = place.project;
  row.generation = 1;
  row.token = internal::new_upload_token(algorithm);
  return internal::open_session(*state_, {std::move(row), false, repository},
                                {std::nullopt, length});
}

Result<UploadStatus> Uploads::status(const Caller& caller, const model::RepositoryName& repository,
                                     std::string_view id) {
  UploadRow row = TRY(state_->database.read([&](db::ReadSession& session) {
    return internal::read_upload(session, state_->options, caller, repository, id);
  }));
  return UploadStatus{std::move(row.id), row.offset};
}

Result<void> Uploads::cancel(const Caller& caller, const model::RepositoryName& repository,
                             std::string_view id) {
  const UploadRow seen = TRY(state_->database.read([&](db::ReadSession& session) {
    return internal::read_upload(session, state_->options, caller, repository, id);
  }));
  // Claimed first, so that a request that is writing now can no longer save or commit.
  std::string token;
  const auto end = [&](db::WriteSession& session) -> Result<void> {
    const UploadRow row = TRY(internal::claim_upload(session, state_->options, seen));
    token = row.token;
    return internal::finish_upload(session, row);
  };
  TRY(state_->database.write(end, kVoid));
  state_->active.stop(seen.id);
  if (!internal::algorithm_of_new(token)) {
    static_cast<void>(state_->store.discard(token));  // Otherwise reap() finds it.
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
    if (gone && !internal::algorithm_of_new(upload.token)) {
      TRY(state_->store.discard(upload.token));
    }
    removed += gone ? 1 : 0;
  }
  // Staged bytes that no row names any more: a process died, or a discard failed.
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
