#include "storage/internal/s3_token.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/text.h"
#include "http/uri.h"
#include "storage/internal/s3_parts.h"
#include "storage/internal/upload_token.h"

namespace roadstead::storage::internal {
namespace {

constexpr std::string_view kVersion = "s3u1";
constexpr std::string_view kNothing = "-";
constexpr std::size_t kPieces = 8;
constexpr std::size_t kUploadIdMax = 1024;
constexpr std::size_t kTailSize = 32;
constexpr std::size_t kProofSize = 64;

Error malformed() {
  // The text is not repeated: it may be anything.
  return Error{Code::kInvalid, Subject::kUpload, "not an upload token of this store", {}};
}

bool is_hex(std::string_view text, std::size_t size) {
  return text.size() == size && std::all_of(text.begin(), text.end(), [](char c) {
           return is_digit(c) || (c >= 'a' && c <= 'f');
         });
}

std::string_view or_nothing(std::string_view text) {
  return text.empty() ? kNothing : text;
}

/// Nothing when it is neither "-" nor hexadecimal digits of this number.
std::optional<std::string> read_hex(std::string_view text, std::size_t size) {
  if (text == kNothing) {
    return std::string();
  }
  return is_hex(text, size) ? std::optional(std::string(text)) : std::nullopt;
}

}  // namespace

std::string S3Token::to_string() const {
  if (!hasher) {
    return fmt::format("{}/{}", kVersion, uuid);
  }
  // A lone "-" cannot be mistaken for an id: ids of stores are longer.
  return fmt::format("{}/{}/{}/{}/{}/{}/{}/{}", kVersion, uuid,
                     or_nothing(http::percent_encode(upload_id)), parts, or_nothing(proof),
                     or_nothing(tail), or_nothing(old_tail), hasher->save());
}

Result<S3Token> S3Token::parse(std::string_view text) {
  const auto pieces = split(text, '/');
  if (pieces.size() < 2 || pieces[0] != kVersion || !is_uuid(pieces[1])) {
    return malformed();
  }
  S3Token token;
  token.uuid = pieces[1];
  if (pieces.size() == 2) {
    return token;
  }
  if (pieces.size() != kPieces) {
    return malformed();
  }
  const auto upload_id = http::percent_decode(pieces[2]);
  const auto parts = parse_uint64(pieces[3]);
  const auto proof = read_hex(pieces[4], kProofSize);
  const auto tail = read_hex(pieces[5], kTailSize);
  const auto old_tail = read_hex(pieces[6], kTailSize);
  auto hasher = crypto::Hasher::resume(pieces[7]);
  if (!upload_id || upload_id->empty() || upload_id->size() > kUploadIdMax || !parts ||
      *parts > kPartsMax || std::to_string(*parts) != pieces[3] || !proof || !tail || !old_tail ||
      !hasher) {
    return malformed();
  }
  token.upload_id = *upload_id == kNothing ? "" : *upload_id;
  token.parts = *parts;
  token.proof = *proof;
  token.tail = *tail;
  token.old_tail = *old_tail;
  token.hasher = std::move(hasher).value();
  // Parts need an upload and a proof.
  if (token.upload_id.empty() ? token.parts > 0 : token.parts == 0) {
    return malformed();
  }
  return token.proof.empty() == (token.parts == 0) ? Result<S3Token>(std::move(token))
                                                   : malformed();
}

}  // namespace roadstead::storage::internal
