#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "crypto/hasher.h"

namespace roadstead::storage::internal {

/// What a checkpoint of an upload into an object store says:
///   s3u1/<uuid>/<upload id>/<parts>/<proof>/<tail>/<old tail>/<hash state>
/// with "-" for what there is none of. It does not grow with the upload: what the parts are is
/// asked of the store, and the proof tells whether they are still those of the checkpoint, as
/// another process that has not noticed that it lost the upload may overwrite them. Tokens that
/// serve discard() only are "s3u1/<uuid>".
struct S3Token {
  std::string uuid;
  std::string upload_id;
  std::uint64_t parts = 0;
  std::string proof;     ///< Hexadecimal SHA-256 of the parts' ETags.
  std::string tail;      ///< Name of the object with the bytes behind the parts.
  std::string old_tail;  ///< Of the checkpoint before, which nobody needs once this one is kept.
  std::optional<crypto::Hasher> hasher;  ///< Has hashed all bytes up to here.

  [[nodiscard]] std::string to_string() const;
  /// Strict, as if an enemy had written it. Errors: kInvalid + kUpload.
  static Result<S3Token> parse(std::string_view text);
};

}  // namespace roadstead::storage::internal
