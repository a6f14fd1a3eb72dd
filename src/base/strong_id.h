#pragma once

#include <compare>
#include <cstdint>

namespace roadstead {

/// A database key that cannot be mistaken for another kind of key: `using ProjectId =
/// StrongId<struct ProjectTag>;`
template <typename Tag>
struct StrongId {
  std::int64_t value = 0;
  auto operator<=>(const StrongId&) const = default;
};

using ArtifactId = StrongId<struct ArtifactTag>;
using BlobId = StrongId<struct BlobTag>;
using ManifestId = StrongId<struct ManifestTag>;
using MemberId = StrongId<struct MemberTag>;
using ProjectId = StrongId<struct ProjectTag>;
using RepositoryId = StrongId<struct RepositoryTag>;
using UserId = StrongId<struct UserTag>;

}  // namespace roadstead
