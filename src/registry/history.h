#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "auth/list_query.h"
#include "base/clock.h"
#include "base/result.h"
#include "base/strong_id.h"
#include "db/database.h"

namespace roadstead::registry {

/// One change of a tag.
struct TagEvent {
  std::int64_t id = 0;
  std::string digest;     ///< What it names from then on; of a deletion: what it named.
  std::string operation;  ///< "create", "move" or "delete"
  std::string operator_name;
  Time op_time{};
};
/// Changes of a tag, present or deleted, newest first.
Result<auth::Page<TagEvent>> list_tag_history(db::ReadSession& session, RepositoryId repository,
                                              std::string_view tag, const auth::ListQuery& query);

/// What a tag named at some time.
struct TagAt {
  TagEvent since;             ///< The change that made it so.
  std::optional<Time> until;  ///< The next change; absent while it still does.
  bool present = false;       ///< The artifact is in the repository now.
};
/// Nothing when there was no such tag then, as far as the history goes back.
Result<std::optional<TagAt>> tag_at(db::ReadSession& session, RepositoryId repository,
                                    std::string_view tag, Time at);

/// How much of it is kept. The last change of a tag that exists always is.
struct HistoryPolicy {
  std::int64_t rows_max = 100;  ///< Per tag.
  std::chrono::seconds age_max{365 * 24 * 3600};
};
/// One step of a round through the history: looks at up to `count` changes behind `after` and
/// removes those that the policy gives up, and those of repositories that are gone. Where the next
/// step begins, 0 at the end of the round. For a timer.
Result<std::int64_t> trim_tag_history(db::Database& database, const HistoryPolicy& policy,
                                      std::int64_t after, std::size_t count);

}  // namespace roadstead::registry
