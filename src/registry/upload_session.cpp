#include <chrono>

#include "registry/internal/content.h"
#include "registry/internal/place.h"
#include "registry/internal/upload_state.h"

namespace roadstead::registry::internal {
namespace {

/// How much a request may write before room and quota are looked at again.
constexpr std::uint64_t kCheckEvery = std::uint64_t{64} << 20U;

/// Loss of power voids the staged bytes, so the rows that only tell of them need no sync.
constexpr auto kVoid = db::Durability::kProcessDeath;

class Session final : public UploadSession {
 public:
  Session(Uploads::State& state, SessionTarget target, std::shared_ptr<ActiveUpload> active)
      : state_(state), target_(std::move(target)), active_(std::move(active)) {}
  ~Session() override { state_.active.leave(target_.row.id, active_.get()); }
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  Result<void> write(std::span<const std::byte> bytes) override;
  [[nodiscard]] std::uint64_t offset() const override { return offset_; }
  Result<UploadStatus> checkpoint() override;
  Result<void> commit(const model::Digest& expected) override;

  [[nodiscard]] const std::string& id() const { return target_.row.id; }
  /// With active_->mutex held.
  Result<void> open_writer(const Chunk& chunk);

 private:
  Result<void> touch();
  Result<void> discard();
  Result<void> record(db::WriteSession& session, const model::Digest& digest,
                      const storage::Location& location);
  void forget_published(const model::Digest& digest, const storage::Location& location);

  Uploads::State& state_;
  SessionTarget target_;
  // Shared with the table of active uploads, from which a later request may stop this one.
  std::shared_ptr<ActiveUpload> active_;
  std::uint64_t offset_ = 0;
  std::uint64_t unchecked_ = 0;
  std::chrono::steady_clock::time_point touched_ = std::chrono::steady_clock::now();
};

Result<void> Session::open_writer(const Chunk& chunk) {
  if (target_.has_row && !state_.shared()) {
    // An earlier request may have ended since the row was read. From now on none can: this one is
    // in the table, and no other process writes here.
    const auto reload = [&](db::ReadSession& session) {
      return reload_upload(session, state_.options, target_.row);
    };
    target_.row = TRY(state_.database.read(reload));
  }
  TRY(check_order(chunk, target_.row));
  if (const auto algorithm = algorithm_of_new(target_.row.token)) {
    active_->writer = TRY(state_.store.begin(*algorithm, chunk.length.value_or(0)));
    return {};
  }
  auto resumed = state_.store.resume(target_.row.token);
  if (!resumed) {
    if (resumed.error().code != Code::kNotFound) {
      return resumed.error();
    }
    // The staged bytes are gone: nothing can be added to this upload any more.
    TRY(state_.database.write(
        [&](db::WriteSession& session) { return finish_upload(session, target_.row); }, kVoid));
    return upload_unknown(target_.row.id);
  }
  active_->writer = std::move(*resumed);
  offset_ = active_->writer->offset();
  return {};
}

Result<void> Session::write(std::span<const std::byte> bytes) {
  const std::lock_guard lock(active_->mutex);
  if (active_->superseded || active_->writer == nullptr) {
    return upload_taken_over();
  }
  TRY(active_->writer->append(bytes));
  offset_ += bytes.size();
  const std::uint64_t written = offset_ - target_.row.offset;
  if (written > active_->reserved.load(std::memory_order_relaxed)) {
    active_->reserved.store(written, std::memory_order_relaxed);
  }
  unchecked_ += bytes.size();
  if (unchecked_ >= kCheckEvery) {
    unchecked_ = 0;
    TRY(state_.check_room(target_.row.project, 0));
  }
  return touch();
}

Result<void> Session::touch() {
  // Pacing only; what expires is decided by the database's clock.
  const auto now = std::chrono::steady_clock::now();
  if (!target_.has_row || now - touched_ < state_.options.upload_idle / 2) {
    return {};
  }
  touched_ = now;
  return state_.database.write(
      [&](db::WriteSession& session) { return touch_upload(session, state_.options, target_.row); },
      kVoid);
}

Result<UploadStatus> Session::checkpoint() {
  CHECK(target_.has_row);
  const std::lock_guard lock(active_->mutex);
  if (active_->superseded || active_->writer == nullptr) {
    return upload_taken_over();
  }
  UploadRow row = target_.row;
  row.token = TRY(active_->writer->checkpoint());
  row.offset = active_->writer->offset();
  TRY(state_.database.write(
      [&](db::WriteSession& session) { return save_upload(session, state_.options, row); }, kVoid));
  target_.row = std::move(row);
  active_->writer.reset();
  active_->reserved.store(0, std::memory_order_relaxed);
  return UploadStatus{target_.row.id, target_.row.offset};
}

Result<void> Session::commit(const model::Digest& expected) {
  const std::lock_guard lock(active_->mutex);
  if (active_->superseded || active_->writer == nullptr) {
    return upload_taken_over();
  }
  // From before the content gets its name until the row names it, nobody removes or publishes this
  // digest (storage/digest_locks.h).
  const auto guard = state_.locks.lock(expected.to_string());
  const auto published = active_->writer->commit(expected);
  if (!published) {
    // Whatever the client sent, it is not this; nothing that could still be added makes it so.
    if (published.error().code == Code::kDigestMismatch) {
      TRY(discard());
    }
    return published.error();
  }
  const storage::Location& location = *published;
  active_->writer.reset();
  const Result<void> recorded = state_.database.write(
      [&](db::WriteSession& session) { return record(session, expected, location); });
  if (!recorded) {
    forget_published(expected, location);
    return recorded.error();
  }
  return {};
}

Result<void> Session::discard() {
  if (target_.has_row) {
    TRY(state_.database.write(
        [&](db::WriteSession& session) { return finish_upload(session, target_.row); }, kVoid));
  }
  static_cast<void>(active_->writer->discard());  // Otherwise reap() finds it.
  active_->writer.reset();
  return {};
}

Result<void> Session::record(db::WriteSession& session, const model::Digest& digest,
                             const storage::Location& location) {
  Holder holder{target_.row.project, target_.row.repository};
  if (target_.has_row) {
    TRY(finish_upload(session, target_.row));
    if (!TRY(repository_usable(session, holder.repository))) {
      return upload_unknown(target_.row.id);
    }
  } else {
    holder.repository = TRY(ensure_repository(session, holder.project, target_.repository));
  }
  const Held held = TRY(ensure_blob(session, digest, static_cast<std::int64_t>(offset_), location));
  return lease_blob(session, state_.options, holder, held);
}

void Session::forget_published(const model::Digest& digest, const storage::Location& location) {
  // Published, but no transaction named it. Unless an equal blob lives at the same place, remove it
  // again; whatever fails here is found by the checker later.
  const auto named = state_.database.read([&](db::ReadSession& session) {
    return session.first("SELECT location FROM blob WHERE digest = ?", {digest.to_string()},
                         [](const db::Row& row) { return std::string(row.text(0)); });
  });
  if (named && (!named->has_value() || **named != location.value)) {
    static_cast<void>(state_.store.remove(std::span(&location, 1)));
  }
  if (target_.has_row) {
    static_cast<void>(state_.database.write(
        [&](db::WriteSession& session) { return finish_upload(session, target_.row); }, kVoid));
  }
}

}  // namespace

Result<void> check_order(const Chunk& chunk, const UploadRow& row) {
  if (!chunk.first || *chunk.first == row.offset) {
    return {};
  }
  return Error{Code::kRange, Subject::kUpload, "the chunk does not begin where the upload ends",
               std::to_string(row.offset)};
}

Result<std::unique_ptr<UploadSession>> open_session(Uploads::State& state, SessionTarget target,
                                                    const Chunk& chunk) {
  // The generation orders the requests of all processes, a counter those of this one.
  const std::int64_t turn = state.shared() ? target.row.generation : ++state.turns;
  auto active = std::make_shared<ActiveUpload>(turn, target.row.project);
  active->reserved = chunk.length.value_or(0);
  auto session = std::make_unique<Session>(state, std::move(target), active);
  const std::string id = session->id();
  // Locked before anybody can see it, so that a still later request waits until the writer is open
  // and can be taken away.
  const std::lock_guard lock(active->mutex);
  if (!state.active.enter(id, active)) {
    return upload_taken_over();
  }
  TRY(session->open_writer(chunk));
  return std::unique_ptr<UploadSession>(std::move(session));
}

}  // namespace roadstead::registry::internal
