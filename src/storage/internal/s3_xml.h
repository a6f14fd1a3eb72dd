#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"

namespace roadstead::storage::internal {

/// Answers of an object store. Nothing here trusts them: an answer of another shape is kUnavailable
/// + kStorage, as it may be a proxy's. Entities and document types are not expanded.

/// The longest answer that is read: 1,000 entries of keys of 1,024 bytes.
inline constexpr std::size_t kXmlSizeMax = std::size_t{4} << 20U;

/// The Code of an <Error>; "" when the text is none.
std::string error_code(std::string_view xml);

struct ListedObject {
  std::string key;
  Time modified_at{};
  std::uint64_t size = 0;
};
struct ObjectPage {
  std::vector<ListedObject> objects;
  /// With a delimiter: what keys that have it begin with, up to and with it.
  std::vector<std::string> prefixes;
  std::string next;  ///< The continuation token; empty on the last page.
};
Result<ObjectPage> parse_objects(std::string_view xml);

struct ListedUpload {
  std::string key;
  std::string id;
  Time initiated_at{};
};
struct UploadPage {
  std::vector<ListedUpload> uploads;
  bool more = false;
  std::string next_key;
  std::string next_id;
};
Result<UploadPage> parse_uploads(std::string_view xml);

struct ListedPart {
  std::uint64_t number = 0;
  std::string etag;
  std::uint64_t size = 0;
  Time modified_at{};
};
struct PartPage {
  std::vector<ListedPart> parts;
  std::string next;  ///< The marker; empty on the last page.
};
Result<PartPage> parse_parts(std::string_view xml);

/// The UploadId of an answer to CreateMultipartUpload.
Result<std::string> parse_upload_id(std::string_view xml);
/// The code of the first <Error> in an answer to DeleteObjects; "" when all are gone.
Result<std::string> parse_delete_errors(std::string_view xml);

struct XmlCredentials {
  std::string access_key;
  std::string secret_key;
  std::string session_token;
  Time expires_at{};
};
/// Of an answer to AssumeRoleWithWebIdentity.
Result<XmlCredentials> parse_assumed_role(std::string_view xml);

/// "2026-11-26T10:15:23.000Z"
std::optional<Time> parse_iso_time(std::string_view text);
/// "Thu, 26 Nov 2026 10:15:23 GMT"
std::optional<Time> parse_http_date(std::string_view text);

std::string write_completion(const std::vector<std::string>& etags);
std::string write_deletion(const std::vector<std::string>& keys);

}  // namespace roadstead::storage::internal
