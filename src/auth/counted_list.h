#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "auth/list_query.h"
#include "base/clock.h"
#include "base/result.h"
#include "db/database.h"

namespace roadstead::auth {

/// Where an entry stands in its list: by name, or by time and id. What a list does not use is empty
/// or 0.
struct ListKey {
  std::string name;
  Time time{};
  std::int64_t id = 0;

  /// Before and behind every entry. Nothing that is listed has a name from '~' on.
  static ListKey lowest() { return {}; }
  static ListKey highest();
};

/// A list that knows how many entries it has and where the n-th stands, at a cost that hardly
/// depends on their number: `list_bucket` holds stretches of some 1,000 neighbours with their
/// count. Whoever lists a row or takes it off the list says so in the same transaction.
struct CountedList {
  std::string_view name;   ///< In list_bucket.
  std::int64_t scope = 0;  ///< What it is a list of: a project's id, a repository's; else 0.
  /// The listed row that comes `skip` rows after the first one at or behind `from`, upwards; at
  /// most kBucketMax rows are skipped.
  Result<std::optional<ListKey>> (*nth)(db::ReadSession& session, std::int64_t scope,
                                        const ListKey& from, std::int64_t skip) = nullptr;
  /// Whoever changes it holds a lock already that nobody else then has.
  bool guarded = false;
};

/// A stretch is split in two halves when it grows beyond this: what finding a page skips at most.
inline constexpr std::int64_t kBucketMax = 2'048;

Result<std::int64_t> count_entries(db::ReadSession& session, const CountedList& list);

enum class Direction : std::uint8_t { kUp, kDown };

/// Where the page begins that `query` asks for by its number.
struct PageStart {
  std::int64_t total = 0;
  std::optional<ListKey>
      from;  ///< The first entry, or a place before it; absent: the page is empty.
};
Result<PageStart> find_page(db::ReadSession& session, const CountedList& list,
                            const ListQuery& query, Direction direction);

/// The key of the entry at this place, counted upwards from 0; nothing beyond the end. `total` is
/// what count_entries() says.
Result<std::optional<ListKey>> entry_at(db::ReadSession& session, const CountedList& list,
                                        std::int64_t position, std::int64_t total);

/// The direction of a query that wants everything in the order of `key`, which is the list's own;
/// nothing when it wants another order, or filters.
std::optional<Direction> own_order(const ListQuery& query, std::string_view key,
                                   Direction by_default);

/// After the row has become one that `list.nth` finds.
Result<void> add_entry(db::WriteSession& session, const CountedList& list, const ListKey& key);
/// Errors: kInternal + kDatabase when the list has no such entry.
Result<void> remove_entry(db::WriteSession& session, const CountedList& list, const ListKey& key);
/// Forgets the whole list, when what it is a list of goes.
Result<void> drop_list(db::WriteSession& session, const CountedList& list);

}  // namespace roadstead::auth
