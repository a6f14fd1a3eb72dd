#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <string>

#include "base/byte_count.h"

namespace roadstead::registry {

/// What an operator may set. Built by app/.
struct Options {
  /// How long content stays after nothing refers to it any more. Half of it is what a client that
  /// was told "present" by HEAD has left to finish.
  std::chrono::seconds grace{2 * 3600};
  /// ROADSTEAD_LEASE_SECONDS; absent means max(grace, 2 h).
  std::chrono::seconds lease_override{0};
  /// An upload that nobody touched for so long is gone.
  std::chrono::seconds upload_lifetime{24 * 3600};
  /// An upload that no request has written to for so long gives way when a limit on open uploads is
  /// reached. Running requests tell the database that they run at twice that rate.
  std::chrono::seconds upload_idle{30};
  std::int64_t uploads_per_project_max = 100;
  std::int64_t uploads_per_identity_max = 32;
  /// Uploads are refused while the store has less room than this, so that the database never runs
  /// into a full disk.
  ByteCount free_space_floor = 256_MiB;
  /// Other processes write to the same database. Each request that writes into an upload then pays
  /// one commit more, to claim it for all of them. Always so on database servers.
  bool shared_database = false;
  /// Accept an index whose children are not all here.
  bool sparse_indexes = false;
  /// What ids of uploads are made with; the same for all processes over one database. Must be
  /// secret only so that ids which nobody was given stay unknown.
  std::string upload_key;
  /// sys::boot_id(): staged bytes that were not synced are void after another boot.
  std::string boot_id;

  [[nodiscard]] std::chrono::seconds lease() const {
    if (lease_override.count() > 0) {
      return lease_override;
    }
    return std::max(grace, std::chrono::seconds{2 * 3600});
  }
};

}  // namespace roadstead::registry
