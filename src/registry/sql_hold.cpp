#include <algorithm>
#include <array>

#include "base/text.h"
#include "registry/hold.h"
#include "sys/process.h"

namespace roadstead::registry {
namespace {

std::string new_id() {
  std::array<std::byte, 16> random{};
  sys::random_bytes(random);
  return to_hex(random);
}

}  // namespace

Result<std::string> take_hold(db::WriteSession& session, std::string_view owner,
                              std::chrono::seconds duration) {
  CHECK(duration.count() > 0);
  const Time now = session.now();
  TRY(session.execute("DELETE FROM collection_hold WHERE expires_at <= ?", {now}));
  std::string id = new_id();
  TRY(session.execute(
      "INSERT INTO collection_hold (id, owner, taken_at, expires_at) VALUES (?, ?, ?, ?)",
      {id, owner, now, now + std::min(duration, kHoldMax)}));
  return id;
}

Result<void> renew_hold(db::WriteSession& session, std::string_view id,
                        std::chrono::seconds duration) {
  CHECK(duration.count() > 0);
  const Time now = session.now();
  const std::int64_t renewed = TRY(
      session.execute("UPDATE collection_hold SET expires_at = ? WHERE id = ? AND expires_at > ?",
                      {now + std::min(duration, kHoldMax), id, now}));
  if (renewed == 0) {
    return Error{Code::kNotFound,
                 Subject::kNone,
                 "the hold on collection has expired: content may be gone, begin again",
                 {}};
  }
  return {};
}

Result<void> release_hold(db::WriteSession& session, std::string_view id) {
  TRY(session.execute("DELETE FROM collection_hold WHERE id = ?", {id}));
  return {};
}

Result<bool> any_hold(db::ReadSession& session) {
  const auto any = TRY(session.first("SELECT 1 FROM collection_hold WHERE expires_at > ? LIMIT 1",
                                     {session.now()}, [](const db::Row&) { return true; }));
  return any.value_or(false);
}

}  // namespace roadstead::registry
