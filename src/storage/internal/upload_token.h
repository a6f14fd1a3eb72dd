#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "crypto/hasher.h"

namespace roadstead::storage::internal {

/// The lower-case form that sys::random_uuid() gives.
[[nodiscard]] bool is_uuid(std::string_view text);

/// What a checkpoint's token says: "up1/<uuid>/<offset>/<hash state>". The hash state is missing in
/// tokens that serve discard() only: "up1/<uuid>".
struct UploadToken {
  std::string uuid;
  std::uint64_t offset = 0;
  std::optional<crypto::Hasher> hasher;  ///< Has hashed exactly `offset` bytes.

  [[nodiscard]] std::string to_string() const;
  /// Strict, as if an enemy had written it. Errors: kInvalid + kUpload.
  static Result<UploadToken> parse(std::string_view text);
};

/// kNotFound + kUpload, in the words of the distribution specification.
Error upload_unknown(std::string_view uuid);

}  // namespace roadstead::storage::internal
