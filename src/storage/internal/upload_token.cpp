#include "storage/internal/upload_token.h"

#include <algorithm>

#include "base/text.h"

namespace roadstead::storage::internal {
namespace {

constexpr std::string_view kVersion = "up1/";
constexpr std::size_t kUuidSize = 36;

Error malformed() {
  // The text is not repeated: it may be anything.
  return Error{Code::kInvalid, Subject::kUpload, "not an upload token of this store", {}};
}

}  // namespace

bool is_uuid(std::string_view text) {
  if (text.size() != kUuidSize) {
    return false;
  }
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool dash = i == 8 || i == 13 || i == 18 || i == 23;
    const bool hex = is_digit(text[i]) || (text[i] >= 'a' && text[i] <= 'f');
    if (dash ? text[i] != '-' : !hex) {
      return false;
    }
  }
  return true;
}

std::string UploadToken::to_string() const {
  std::string text = std::string(kVersion) + uuid;
  if (hasher) {
    text += '/' + std::to_string(offset) + '/' + hasher->save();
  }
  return text;
}

Result<UploadToken> UploadToken::parse(std::string_view text) {
  if (!text.starts_with(kVersion)) {
    return malformed();
  }
  text.remove_prefix(kVersion.size());
  UploadToken token;
  token.uuid = text.substr(0, kUuidSize);
  if (!is_uuid(token.uuid)) {
    return malformed();
  }
  text.remove_prefix(kUuidSize);
  if (text.empty()) {
    return token;
  }
  const std::size_t slash = text.find('/', 1);
  if (text.front() != '/' || slash == std::string_view::npos) {
    return malformed();
  }
  const std::optional<std::uint64_t> offset = parse_uint64(text.substr(1, slash - 1));
  Result<crypto::Hasher> hasher = crypto::Hasher::resume(text.substr(slash + 1));
  if (!offset || !hasher || hasher->length() != *offset) {
    return malformed();
  }
  token.offset = *offset;
  token.hasher = std::move(hasher).value();
  return token;
}

Error upload_unknown(std::string_view uuid) {
  return Error{Code::kNotFound, Subject::kUpload, "blob upload unknown to registry",
               std::string(uuid)};
}

}  // namespace roadstead::storage::internal
