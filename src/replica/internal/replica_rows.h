#pragma once

#include <string_view>

#include "base/result.h"
#include "db/database.h"
#include "replica/replica.h"

namespace roadstead::replica::internal {

/// Writes the row with the time of now, keeps the turns that it holds, and forgets replicas that
/// died long ago.
Result<void> beat(db::WriteSession& session, const Replica& replica);
/// Removes the row and gives its turns to others.
Result<void> leave(db::WriteSession& session, std::string_view id);
/// Takes the turn when nobody else has it. Whether it is ours now.
Result<bool> take_turn(db::WriteSession& session, std::string_view name, std::string_view id);

}  // namespace roadstead::replica::internal
