#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include "base/result.h"
#include "base/strong_id.h"
#include "db/database.h"
#include "model/digest.h"
#include "model/reference.h"
#include "registry/caller.h"
#include "storage/blob_store.h"

namespace roadstead::registry {

/// What a read is for. HEAD never writes: content condemned less than half the grace period ago is
/// answered as present (the client has the other half to refer to it), older as absent, so that the
/// client uploads it and thereby revives it.
struct Probe {
  bool head = false;
  std::chrono::seconds grace{};
  /// Manifests larger than this are found without their bytes: the caller asks again where it may
  /// take longer.
  std::int64_t bytes_max = INT64_MAX;
};

struct FoundManifest {
  RepositoryId repository;
  ArtifactId artifact;
  std::string digest;
  std::string media_type;
  std::int64_t size = 0;
  std::optional<std::string> bytes;  ///< Absent for HEAD and above Probe::bytes_max.
};

/// One joined query: permission, repository, tag, artifact and bytes. Errors: as permit();
/// kNotFound + kRepository, kNotFound + kManifest.
Result<FoundManifest> find_manifest(db::ReadSession& session, const Caller& caller,
                                    const model::RepositoryName& repository,
                                    const model::Reference& reference, const Probe& probe);

struct FoundBlob {
  BlobId blob;
  std::int64_t size = 0;
  storage::Location location;
  /// Of a blob that is a row (registry/blob_content.h), which the store knows nothing of. Absent
  /// for HEAD and above Probe::bytes_max.
  std::optional<std::string> bytes;
};

/// One joined query as above, with the bytes of a small blob. Errors: as permit(); kNotFound +
/// kBlob.
Result<FoundBlob> find_blob(db::ReadSession& session, const Caller& caller,
                            const model::RepositoryName& repository, const model::Digest& digest,
                            const Probe& probe);

}  // namespace roadstead::registry
