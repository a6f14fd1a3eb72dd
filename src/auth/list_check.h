#pragma once

#include <cstddef>
#include <optional>

#include "auth/counted_list.h"
#include "base/result.h"
#include "db/database.h"

namespace roadstead::auth {

/// Whether the stretches of a counted list agree with its rows, as the session sees both.
struct ListCheck {
  bool agrees = true;
  std::optional<ListKey> next;  ///< Where the next call goes on; absent: that was all.
};
/// Looks at up to `count` stretches from the one that begins at `from`.
Result<ListCheck> check_list(db::ReadSession& session, const CountedList& list, const ListKey& from,
                             std::size_t count);

/// Counts the whole list again. Walks all its rows, a thousand entries a row of list_bucket.
Result<void> rebuild_list(db::WriteSession& session, const CountedList& list);

}  // namespace roadstead::auth
