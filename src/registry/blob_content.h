#pragma once

#include <cstdint>
#include <string_view>

namespace roadstead::registry {

/// Blobs of at most this size are rows of `blob_content`: one sync, that of the database, instead
/// of three, and no inode. A row of this size is five pages; of larger content the pages, written
/// to the log and again to the file, cost more than a file of its own
/// (docs/adr/0010-small-blobs-are-rows.md).
inline constexpr std::uint64_t kInlineMax = std::uint64_t{16} << 10U;

/// `blob.location` of these blobs. No store makes it, removes it or lists it.
inline constexpr std::string_view kInlineLocation = "inline";

}  // namespace roadstead::registry
