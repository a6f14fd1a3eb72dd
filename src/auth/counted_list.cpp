#include "auth/counted_list.h"

#include <array>
#include <limits>

#include "base/check.h"

namespace roadstead::auth {
namespace {

/// A smaller stretch joins the one before it when both together are half full at most.
constexpr std::int64_t kBucketSmall = kBucketMax / 8;

struct Bucket {
  ListKey first;
  std::int64_t entries = 0;

  /// The one at the lower end, which takes every key that comes before all others.
  [[nodiscard]] bool lowest() const {
    return first.name.empty() && to_micros(first.time) == 0 && first.id == 0;
  }
};

Bucket bucket_from(const db::Row& row) {
  return Bucket{{std::string(row.text(0)), row.time(1), row.integer(2)}, row.integer(3)};
}

/// The last stretch that begins at or before the key, or before it.
Result<std::optional<Bucket>> find_bucket(db::ReadSession& session, const CountedList& list,
                                          const ListKey& key) {
  return session.first(
      "SELECT first_name, first_time, first_id, entries FROM list_bucket WHERE list = ? AND "
      "scope_id = ? AND (first_name, first_time, first_id) <= (?, ?, ?) "
      "ORDER BY first_name DESC, first_time DESC, first_id DESC LIMIT 1",
      {list.name, list.scope, key.name, key.time, key.id}, bucket_from);
}

Result<std::optional<Bucket>> find_bucket_before(db::ReadSession& session, const CountedList& list,
                                                 const ListKey& key) {
  return session.first(
      "SELECT first_name, first_time, first_id, entries FROM list_bucket WHERE list = ? AND "
      "scope_id = ? AND (first_name, first_time, first_id) < (?, ?, ?) "
      "ORDER BY first_name DESC, first_time DESC, first_id DESC LIMIT 1",
      {list.name, list.scope, key.name, key.time, key.id}, bucket_from);
}

Result<void> insert_bucket(db::WriteSession& session, const CountedList& list,
                           const Bucket& bucket) {
  return session.execute_later(
      "INSERT INTO list_bucket (list, scope_id, first_name, first_time, first_id, entries) VALUES "
      "(?, ?, ?, ?, ?, ?)",
      {list.name, list.scope, bucket.first.name, bucket.first.time, bucket.first.id,
       bucket.entries});
}

Result<void> change_bucket(db::WriteSession& session, const CountedList& list, const Bucket& bucket,
                           std::int64_t by) {
  return session.execute_later(
      "UPDATE list_bucket SET entries = entries + ? WHERE list = ? AND scope_id = ? AND "
      "first_name = ? AND first_time = ? AND first_id = ?",
      {by, list.name, list.scope, bucket.first.name, bucket.first.time, bucket.first.id});
}

Result<void> delete_bucket(db::WriteSession& session, const CountedList& list,
                           const Bucket& bucket) {
  return session.execute_later(
      "DELETE FROM list_bucket WHERE list = ? AND scope_id = ? AND first_name = ? AND first_time = "
      "? AND first_id = ?",
      {list.name, list.scope, bucket.first.name, bucket.first.time, bucket.first.id});
}

/// Of two transactions that change a list the second sees what the first did. The lowest stretch is
/// the list's own row: it is there as long as the list is.
Result<void> lock_list(db::WriteSession& session, const CountedList& list) {
  if (!list.guarded) {
    TRY(
        session.lock("SELECT entries FROM list_bucket WHERE list = ? AND scope_id = ? AND "
                     "first_name = '' AND first_time = 0 AND first_id = 0 FOR UPDATE",
                     {list.name, list.scope}));
  }
  return {};
}

Error out_of_step(const CountedList& list) {
  return {Code::kInternal,
          Subject::kDatabase,
          "the list " + std::string(list.name) + " of " + std::to_string(list.scope) +
              " does not agree with its rows",
          {}};
}

/// `full` with one entry more than it may have becomes two.
Result<void> split(db::WriteSession& session, const CountedList& list, const Bucket& full) {
  constexpr std::int64_t kHalf = kBucketMax / 2;
  auto middle = TRY(list.nth(session, list.scope, full.first, kHalf));
  if (!middle) {
    return out_of_step(list);
  }
  const std::int64_t upper = full.entries - kHalf;
  TRY(insert_bucket(session, list, {std::move(*middle), upper}));
  return change_bucket(session, list, full, -upper);
}

}  // namespace

ListKey ListKey::highest() {
  constexpr std::int64_t kMax = std::numeric_limits<std::int64_t>::max();
  return {"~", from_micros(kMax), kMax};
}

Result<std::int64_t> count_entries(db::ReadSession& session, const CountedList& list) {
  const auto sum = TRY(session.first(
      "SELECT COALESCE(SUM(entries), 0) FROM list_bucket WHERE list = ? AND scope_id = ?",
      {list.name, list.scope}, [](const db::Row& row) { return row.integer(0); }));
  return sum.value_or(0);
}

Result<PageStart> find_page(db::ReadSession& session, const CountedList& list,
                            const ListQuery& query, Direction direction) {
  PageStart start;
  start.total = TRY(count_entries(session, list));
  const std::int64_t offset = query.offset();
  if (offset >= start.total) {
    return start;
  }
  const bool down = direction == Direction::kDown;
  if (offset == 0) {
    start.from = down ? ListKey::highest() : ListKey::lowest();
    return start;
  }
  const std::int64_t position = down ? start.total - 1 - offset : offset;
  start.from = TRY(entry_at(session, list, position, start.total));
  return start;
}

Result<std::optional<ListKey>> entry_at(db::ReadSession& session, const CountedList& list,
                                        std::int64_t position, std::int64_t total) {
  constexpr std::array<std::string_view, 2> kSql{
      "SELECT first_name, first_time, first_id, entries FROM list_bucket WHERE list = ? AND "
      "scope_id = ? ORDER BY first_name, first_time, first_id",
      "SELECT first_name, first_time, first_id, entries FROM list_bucket WHERE list = ? AND "
      "scope_id = ? ORDER BY first_name DESC, first_time DESC, first_id DESC"};
  // Reads as many stretches as lie between the entry and the nearer end.
  const bool down = position >= total / 2;
  std::int64_t begin = down ? total : 0;
  std::int64_t skip = 0;
  std::optional<ListKey> first;
  const auto visit = [&](const db::Row& row) {
    const std::int64_t entries = row.integer(3);
    begin -= down ? entries : 0;
    if (position >= begin && position < begin + entries) {
      first = bucket_from(row).first;
      skip = position - begin;
      return false;
    }
    begin += down ? 0 : entries;
    return true;
  };
  TRY(session.each(kSql[down ? 1 : 0], {list.name, list.scope}, visit));
  if (!first) {
    return first;
  }
  return list.nth(session, list.scope, *first, skip);
}

std::optional<Direction> own_order(const ListQuery& query, std::string_view key,
                                   Direction by_default) {
  if (!query.filters.empty() || query.sort.size() > 1) {
    return std::nullopt;
  }
  if (query.sort.empty()) {
    return by_default;
  }
  if (query.sort.front().key != key) {
    return std::nullopt;
  }
  return query.sort.front().descending ? Direction::kDown : Direction::kUp;
}

Result<void> add_entry(db::WriteSession& session, const CountedList& list, const ListKey& key) {
  TRY(lock_list(session, list));
  auto bucket = TRY(find_bucket(session, list, key));
  if (!bucket) {
    return insert_bucket(session, list, {ListKey::lowest(), 1});
  }
  TRY(change_bucket(session, list, *bucket, 1));
  ++bucket->entries;
  return bucket->entries > kBucketMax ? split(session, list, *bucket) : Result<void>();
}

Result<void> remove_entry(db::WriteSession& session, const CountedList& list, const ListKey& key) {
  TRY(lock_list(session, list));
  const auto bucket = TRY(find_bucket(session, list, key));
  if (!bucket || bucket->entries == 0) {
    return out_of_step(list);
  }
  TRY(change_bucket(session, list, *bucket, -1));
  const std::int64_t left = bucket->entries - 1;
  if (bucket->lowest() || left >= kBucketSmall) {
    return {};
  }
  const auto before = TRY(find_bucket_before(session, list, bucket->first));
  if (!before) {
    return out_of_step(list);
  }
  if (before->entries + left > kBucketMax / 2) {
    return {};
  }
  TRY(delete_bucket(session, list, *bucket));
  return change_bucket(session, list, *before, left);
}

Result<void> drop_list(db::WriteSession& session, const CountedList& list) {
  TRY(session.execute("DELETE FROM list_bucket WHERE list = ? AND scope_id = ?",
                      {list.name, list.scope}));
  return {};
}

}  // namespace roadstead::auth
