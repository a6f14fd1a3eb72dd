#pragma once

#include <chrono>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "db/database.h"

namespace roadstead::replica {

/// A process over the database, by its row.
struct Replica {
  std::string id;  ///< Random, another one at each start.
  std::string host;
  std::string roles;  ///< "registry,api,jobs"
  std::string version;
  Time started_at{};
  Time heartbeat_at{};
};

/// A replica that was silent for so long counts as dead: what it held is for others.
inline constexpr std::chrono::seconds kSilenceMax{30};

/// Those that live, oldest first.
Result<std::vector<Replica>> living_replicas(db::ReadSession& session);
Result<bool> is_alive(db::ReadSession& session, std::string_view id);

/// The row of a turn, made on first need and locked until the transaction ends: of two that decide
/// something about it the second sees what the first did.
Result<void> lock_turn(db::WriteSession& session, std::string_view name);

}  // namespace roadstead::replica
