#include "auth/list_check.h"

#include <tuple>
#include <vector>

namespace roadstead::auth {
namespace {

constexpr std::int64_t kHalf = kBucketMax / 2;
/// More entries than any stretch ever has: such a number is wrong without a look.
constexpr std::int64_t kEntriesMax = 2 * kBucketMax;

struct Stretch {
  ListKey first;
  std::int64_t entries = 0;
};

bool before(const ListKey& a, const ListKey& b) {
  return std::tie(a.name, a.time, a.id) < std::tie(b.name, b.time, b.id);
}

/// Exactly `entries` rows lie from its first place up to the next stretch's.
Result<bool> agrees(db::ReadSession& session, const CountedList& list, const Stretch& stretch,
                    const ListKey* next) {
  if (stretch.entries < 0 || stretch.entries > kEntriesMax) {
    return false;
  }
  const auto behind = TRY(list.nth(session, list.scope, stretch.first, stretch.entries));
  if (behind && (next == nullptr || before(*behind, *next))) {
    return false;
  }
  if (stretch.entries == 0) {
    return true;
  }
  const auto last = TRY(list.nth(session, list.scope, stretch.first, stretch.entries - 1));
  return last && (next == nullptr || before(*last, *next));
}

/// Rows from `from` on, when there are no more than `max`.
Result<std::int64_t> count_rest(db::ReadSession& session, const CountedList& list,
                                const ListKey& from, std::int64_t max) {
  std::int64_t low = 0;
  std::int64_t high = max;
  while (low < high) {
    const std::int64_t middle = (low + high) / 2;
    if (TRY(list.nth(session, list.scope, from, middle))) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low;
}

Result<void> insert_stretch(db::WriteSession& session, const CountedList& list,
                            const Stretch& stretch) {
  TRY(session.execute(
      "INSERT INTO list_bucket (list, scope_id, first_name, first_time, first_id, entries) VALUES "
      "(?, ?, ?, ?, ?, ?)",
      {list.name, list.scope, stretch.first.name, stretch.first.time, stretch.first.id,
       stretch.entries}));
  return {};
}

}  // namespace

Result<ListCheck> check_list(db::ReadSession& session, const CountedList& list, const ListKey& from,
                             std::size_t count) {
  const auto stretches = TRY(session.all(
      "SELECT first_name, first_time, first_id, entries FROM list_bucket WHERE list = ? AND "
      "scope_id = ? AND (first_name, first_time, first_id) >= (?, ?, ?) "
      "ORDER BY first_name, first_time, first_id LIMIT ?",
      {list.name, list.scope, from.name, from.time, from.id, count + 1}, [](const db::Row& row) {
        return Stretch{{std::string(row.text(0)), row.time(1), row.integer(2)}, row.integer(3)};
      }));
  ListCheck check;
  if (!before(ListKey::lowest(), from)) {
    // What lies before the first stretch is counted by none.
    const auto first = TRY(list.nth(session, list.scope, from, 0));
    check.agrees = !first || (!stretches.empty() && !before(*first, stretches.front().first));
  }
  for (std::size_t i = 0; i < stretches.size() && check.agrees; ++i) {
    const ListKey* next = i + 1 < stretches.size() ? &stretches[i + 1].first : nullptr;
    if (i == count) {
      check.next = stretches[i].first;
      break;
    }
    check.agrees = TRY(agrees(session, list, stretches[i], next));
  }
  return check;
}

Result<void> rebuild_list(db::WriteSession& session, const CountedList& list) {
  TRY(drop_list(session, list));
  if (!TRY(list.nth(session, list.scope, ListKey::lowest(), 0))) {
    return {};
  }
  Stretch stretch{ListKey::lowest(), kHalf};
  for (;;) {
    auto next = TRY(list.nth(session, list.scope, stretch.first, kHalf));
    if (!next) {
      break;
    }
    TRY(insert_stretch(session, list, stretch));
    stretch.first = std::move(*next);
  }
  stretch.entries = TRY(count_rest(session, list, stretch.first, kHalf));
  return insert_stretch(session, list, stretch);
}

}  // namespace roadstead::auth
