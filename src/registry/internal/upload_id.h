#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/strong_id.h"
#include "model/digest.h"
#include "model/reference.h"

namespace roadstead::registry::internal {

/// Where an upload belongs: what its id is bound to.
struct UploadPlace {
  ProjectId project;
  const model::RepositoryName& repository;
};

/// All there is to know about an upload that has no byte yet.
struct UploadPromise {
  model::Algorithm algorithm = model::Algorithm::kSha256;
  Time expires_at{};
};

/// The id of a new upload, a UUID that holds the promise itself: an upload that was only announced
/// costs no row, and any process with the same key knows it, also after a restart. The key keeps
/// ids that nobody was given unknown; it protects nothing else, as every request is authorised.
std::string make_upload_id(std::string_view key, const UploadPlace& place,
                           const UploadPromise& promise);
/// Nothing when the id was not made for this place with this key. Expiry is the caller's to judge.
std::optional<UploadPromise> read_upload_id(std::string_view key, const UploadPlace& place,
                                            std::string_view id);

}  // namespace roadstead::registry::internal
