#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/strong_id.h"
#include "db/database.h"
#include "registry/internal/reviewer.h"
#include "storage/blob_store.h"

namespace roadstead::registry::internal {

/// The collector's queues, a page at a time.

/// The oldest questions of `review` that are due, and were at `until`.
Result<std::vector<Question>> due_questions(db::ReadSession& session, Time until,
                                            std::size_t count);
Result<void> postpone(db::WriteSession& session, const Question& question, Time due);

Result<std::vector<ArtifactId>> untagged_after(db::ReadSession& session, ArtifactId after,
                                               std::size_t count);

/// Forgets what was deleted up to `until`, and asks about the manifests.
Result<std::size_t> forget_trash(db::WriteSession& session, Time until, std::size_t count);

/// One row of `deleting` that is due.
struct Queued {
  storage::Location location;
  std::string digest;
};
Result<std::vector<Queued>> queued_contents(db::ReadSession& session, std::size_t count);
/// Whether a blob lies there, again or still: it must stay.
Result<bool> is_named(db::ReadSession& session, const Queued& queued);
Result<void> unqueue(db::WriteSession& session, const Queued& queued);

}  // namespace roadstead::registry::internal
