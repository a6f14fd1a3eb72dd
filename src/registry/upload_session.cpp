#include <chrono>
#include <vector>

#include "registry/internal/content.h"
#include "registry/internal/place.h"
#include "registry/internal/upload_state.h"
#include "storage/distribution_layout.h"

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
  Result<void> check_room();
  Result<void> touch();
  Result<void> discard();
  Result<void> store_first(UploadRow& row);
  Result<void> forget_row();
  Result<void> record(db::WriteSession& session, const model::Digest& digest,
                      const Content& content);
  void forget_published(const model::Digest& digest, const storage::Location& location,
                        const Error& why);

  Uploads::State& state_;
  SessionTarget target_;
  // Shared with the table of active uploads, from which a later request may stop this one.
  std::shared_ptr<ActiveUpload> active_;
  std::uint64_t offset_ = 0;
  std::uint64_t unchecked_ = 0;
  std::chrono::steady_clock::time_point touched_ = std::chrono::steady_clock::now();
};

Result<void> Session::open_writer(const Chunk& chunk) {
  const bool may_have_changed =
      state_.changes.load(std::memory_order_acquire) != target_.changes_before;
  if (may_have_changed && !state_.shared()) {
    // An earlier request may have ended since the row was read. From now on none can: this one is
    // in the table, and no other process writes here.
    if (state_.has_ended(id())) {
      return upload_unknown(id());
    }
    const auto reload = [&](db::ReadSession& session) {
      return reload_upload(session, state_.options, target_.row);
    };
    target_.row = TRY(state_.database.read(reload));
  }
  TRY(check_order(chunk, target_.row));
  auto opened = UploadWriter::open(state_.store, target_.row, chunk.length.value_or(0));
  if (!opened) {
    if (opened.error().code != Code::kNotFound) {
      return opened.error();
    }
    // The staged bytes are gone: nothing can be added to this upload any more.
    TRY(forget_row());
    state_.end(id());
    return upload_unknown(id());
  }
  active_->writer = std::move(*opened);
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
    TRY(check_room());
  }
  return touch();
}

Result<void> Session::check_room() {
  TRY(state_.check_space(0));
  const Room room = TRY(state_.database.read_once(
      [&](db::ReadSession& session) { return read_room(session, target_.row.project); }));
  return state_.check_quota(room, target_.row.project, 0);
}

Result<void> Session::touch() {
  // Pacing only; what expires is decided by the database's clock.
  const auto now = std::chrono::steady_clock::now();
  if (!target_.row.stored || now - touched_ < state_.options.upload_idle / 2) {
    return {};
  }
  touched_ = now;
  return state_.database.write(
      [&](db::WriteSession& session) { return touch_upload(session, state_.options, target_.row); },
      kVoid);
}

Result<UploadStatus> Session::checkpoint() {
  const std::lock_guard lock(active_->mutex);
  if (active_->superseded || active_->writer == nullptr) {
    return upload_taken_over();
  }
  UploadRow row = target_.row;
  TRY(active_->writer->checkpoint(row));
  if (row.stored) {
    const auto save = [&](db::WriteSession& session) {
      return save_upload(session, state_.options, row);
    };
    TRY(state_.database.write(save, kVoid));
  } else {
    TRY(store_first(row));
  }
  state_.changes.fetch_add(1, std::memory_order_release);
  target_.row = std::move(row);
  active_->writer.reset();
  active_->reserved.store(0, std::memory_order_relaxed);
  return UploadStatus{target_.row.id, target_.row.offset};
}

/// The first bytes that an upload keeps give it a row, and its repository one.
Result<void> Session::store_first(UploadRow& row) {
  std::vector<ExpiredUpload> evicted;
  const auto running = [&](const std::string& id) { return state_.active.contains(id); };
  const auto insert = [&](db::WriteSession& session) -> Result<void> {
    row.repository = TRY(ensure_repository(session, row.project, target_.repository, Use::kHold));
    if (!target_.few_are_open) {
      evicted = TRY(make_room(session, state_.options, {row.project, target_.identity}, running));
    }
    return insert_upload(session, state_.options, row, target_.identity);
  };
  TRY(state_.database.write(insert, kVoid));
  row.stored = true;
  row.generation = 1;
  for (const ExpiredUpload& upload : evicted) {
    state_.end(upload.id);
    static_cast<void>(state_.discard_staged(upload.token));  // Otherwise reap() finds it.
  }
  return {};
}

Result<void> Session::commit(const model::Digest& expected) {
  const std::lock_guard lock(active_->mutex);
  if (active_->superseded || active_->writer == nullptr) {
    return upload_taken_over();
  }
  // From before the content gets its name until the row names it, nobody removes or publishes this
  // digest (storage/digest_locks.h). Content that becomes a row has no name but that.
  // Nor has what is published at a location of its own, which only we know yet: that may take as
  // long as a network does.
  std::unique_lock<std::mutex> guard;
  const bool stored = !active_->writer->in_memory();
  if (stored) {
    if (!state_.store.traits().own_locations) {
      guard = state_.locks.lock(expected.to_string());
      // What is known to be damaged must not be taken for what was just uploaded.
      const bool damaged = TRY(state_.database.read_once(
          [&](db::ReadSession& session) { return is_damaged(session, expected); }));
      if (damaged) {
        active_->writer->replace_existing();
      }
    }
  }
  const auto published = active_->writer->commit(expected);
  if (!published) {
    // Whatever the client sent, it is not this; nothing that could still be added makes it so.
    if (published.error().code == Code::kDigestMismatch) {
      TRY(discard());
    }
    return published.error();
  }
  const Result<void> recorded = state_.database.write(
      [&](db::WriteSession& session) { return record(session, expected, *published); });
  active_->writer.reset();
  if (!recorded) {
    if (stored) {
      forget_published(expected, published->location, recorded.error());
    }
    return recorded.error();
  }
  state_.end(id());
  return {};
}

Result<void> Session::forget_row() {
  if (!target_.row.stored) {
    return {};
  }
  return state_.database.write(
      [&](db::WriteSession& session) { return finish_upload(session, target_.row); }, kVoid);
}

Result<void> Session::discard() {
  TRY(forget_row());
  state_.end(id());
  static_cast<void>(active_->writer->discard());  // Otherwise reap() finds it.
  active_->writer.reset();
  return {};
}

Result<void> Session::record(db::WriteSession& session, const model::Digest& digest,
                             const Content& content) {
  const UploadRow& row = target_.row;
  std::optional<Landing> landing;
  if (row.stored) {
    TRY(finish_upload(session, row));
    landing = TRY(land(session, row.repository, digest));
    if (!landing) {
      return upload_unknown(row.id);
    }
  } else {
    if (state_.shared() && !target_.single) {
      TRY(remove_upload(session, row.id));  // Another process may have given it one.
    }
    landing = TRY(land(session, row.project, target_.repository, digest));
  }
  return bring_blob(session, state_.options, row.project, {*landing, digest, content});
}

void Session::forget_published(const model::Digest& digest, const storage::Location& location,
                               const Error& why) {
  // Published, but no transaction named it. Unless an equal blob lives at the same place, remove it
  // again; whatever fails here is found by the checker later. Where another registry had content
  // before, that is still its content.
  const auto named = state_.database.read([&](db::ReadSession& session) {
    return session.first("SELECT location FROM blob WHERE digest = ?", {digest.to_string()},
                         [](const db::Row& row) { return std::string(row.text(0)); });
  });
  // A database that went away in the middle of it may have named it all the same.
  const bool uncertain = state_.shared() && why.code == Code::kUnavailable;
  const bool unnamed = named && (!named->has_value() || **named != location.value);
  if (!uncertain && unnamed && !storage::in_distribution_layout(location)) {
    static_cast<void>(state_.store.remove(std::span(&location, 1)));
  }
  static_cast<void>(forget_row());
  state_.end(id());
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
  // A counter orders the requests of this process, before it the generation those of all.
  constexpr std::int64_t kTurnsPerGeneration = std::int64_t{1} << 32U;
  const std::int64_t generation = state.shared() ? target.row.generation : 0;
  const std::int64_t turn = generation * kTurnsPerGeneration + ++state.turns;
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
