#include "storage/internal/s3_context.h"

#include <fmt/format.h>

#include "base/text.h"
#include "crypto/hasher.h"
#include "storage/internal/layout.h"
#include "storage/internal/upload_token.h"

namespace roadstead::storage::internal {
namespace {

constexpr std::size_t kUploadThreads = 16;
constexpr std::size_t kBatchMax = 1'000;
constexpr std::size_t kListMax = 100'000;

/// "docker/registry/v2/blobs/sha256/ab/abcd…/data"
std::string distribution_key(const model::Digest& digest) {
  const std::string_view hex = digest.hex();
  return fmt::format("{}{}/{}/{}/data", kS3Distribution, crypto::to_string(digest.algorithm()),
                     hex.substr(0, 2), hex);
}

}  // namespace

S3Context::S3Context(const S3Options& options)
    : client(options),
      budget(options.buffer_max),
      schedule(options.part_size),
      pool({"s3", kUploadThreads, 1, {}}) {}

std::string S3Context::blob_key(std::string_view uuid) const {
  return fmt::format("{}{}{}", client.options().prefix, kS3Blobs, uuid);
}

std::string S3Context::tail_key(std::string_view uuid, std::string_view name) const {
  return fmt::format("{}{}{}/{}", client.options().prefix, kS3Uploads, uuid, name);
}

Result<std::string> S3Context::key_of(const Location& location) const {
  const std::string_view value = location.value;
  if (value.starts_with(kS3Blobs) && is_uuid(value.substr(kS3Blobs.size()))) {
    return client.options().prefix + location.value;
  }
  const model::Digest digest = TRY(digest_of(location));
  return client.options().prefix + distribution_key(digest);
}

std::optional<Location> S3Context::location_of(std::string_view key) const {
  key.remove_prefix(std::min(key.size(), client.options().prefix.size()));
  if (key.starts_with(kS3Blobs)) {
    return is_uuid(key.substr(kS3Blobs.size())) ? std::optional(Location{std::string(key)})
                                                : std::nullopt;
  }
  if (!key.starts_with(kS3Distribution)) {
    return std::nullopt;
  }
  const auto pieces = split(key.substr(kS3Distribution.size()), '/');
  if (pieces.size() != 4) {
    return std::nullopt;
  }
  const auto digest = model::Digest::parse(fmt::format("{}:{}", pieces[0], pieces[2]));
  if (!digest || distribution_key(*digest) != key) {
    return std::nullopt;
  }
  return Location{digest->to_string()};
}

NamedValues S3Context::object_headers() const {
  const S3Options& options = client.options();
  NamedValues headers{{"content-type", "application/octet-stream"}};
  if (!options.server_side_encryption.empty()) {
    headers.emplace_back("x-amz-server-side-encryption", options.server_side_encryption);
  }
  if (!options.kms_key.empty()) {
    headers.emplace_back("x-amz-server-side-encryption-aws-kms-key-id", options.kms_key);
  }
  if (!options.storage_class.empty()) {
    headers.emplace_back("x-amz-storage-class", options.storage_class);
  }
  return headers;
}

Result<void> S3Context::put(const std::string& key, S3Body body) {
  TRY(client.demand({S3Operation::kPut, "PUT", key, {}, object_headers(), std::move(body)}));
  return {};
}

Result<void> S3Context::remove_one(const std::string& key) {
  const HttpAnswer answer = TRY(client.call({S3Operation::kDelete, "DELETE", key}));
  if (answer.status != 200 && answer.status != 204 && answer.status != 404) {
    return refused(answer);
  }
  return {};
}

Result<void> S3Context::remove_batch(const std::vector<std::string>& keys) {
  const std::string xml = write_deletion(keys);
  S3Call call{S3Operation::kDelete, "POST", {}, {{"delete", ""}}, {}, S3Body::of(xml)};
  call.body.sha256 = crypto::hex_digest(crypto::HashAlgorithm::kSha256, xml);
  call.headers = {{"content-md5", to_base64(bytes_of(crypto::md5(xml)))},
                  {"content-type", "application/xml"}};
  // Swift answers when all are gone, and its time for each adds up.
  call.patient = true;
  const HttpAnswer answer = TRY(client.call(call));
  if (answer.status == 501 || answer.status == 405) {
    // Not every store knows how to remove many at once.
    for (const std::string& key : keys) {
      TRY(remove_one(key));
    }
    return {};
  }
  if (answer.status != 200) {
    return refused(answer);
  }
  const std::string code = TRY(parse_delete_errors(answer.body));
  if (!code.empty()) {
    return Error{Code::kUnavailable, Subject::kStorage,
                 "the object store did not remove everything: " + code, code};
  }
  return {};
}

Result<void> S3Context::remove(std::vector<std::string> keys) {
  if (keys.size() == 1) {
    return remove_one(keys.front());
  }
  for (std::size_t at = 0; at < keys.size(); at += kBatchMax) {
    const auto first = keys.begin() + static_cast<std::ptrdiff_t>(at);
    const auto count = static_cast<std::ptrdiff_t>(std::min(kBatchMax, keys.size() - at));
    TRY(remove_batch({first, first + count}));
  }
  return {};
}

Result<ObjectPage> S3Context::list_page(const std::string& prefix, const NamedValues& more) {
  S3Call call{S3Operation::kList, "GET"};
  call.query = {{"list-type", "2"}, {"prefix", prefix}};
  call.query.insert(call.query.end(), more.begin(), more.end());
  const HttpAnswer answer = TRY(client.demand(call));
  return parse_objects(answer.body);
}

Result<std::vector<ListedObject>> S3Context::list(const std::string& prefix) {
  std::vector<ListedObject> all;
  NamedValues more;
  do {
    ObjectPage page = TRY(list_page(prefix, more));
    std::move(page.objects.begin(), page.objects.end(), std::back_inserter(all));
    more = page.next.empty() ? NamedValues() : NamedValues{{"continuation-token", page.next}};
  } while (!more.empty() && all.size() < kListMax);
  return all;
}

Result<std::vector<ListedUpload>> S3Context::list_uploads(const std::string& prefix) {
  std::vector<ListedUpload> all;
  S3Call call{S3Operation::kMultipart, "GET"};
  NamedValues more;
  for (;;) {
    call.query = {{"uploads", ""}, {"prefix", prefix}};
    call.query.insert(call.query.end(), more.begin(), more.end());
    const HttpAnswer answer = TRY(client.demand(call));
    UploadPage page = TRY(parse_uploads(answer.body));
    std::move(page.uploads.begin(), page.uploads.end(), std::back_inserter(all));
    if (!page.more || page.next_key.empty() || all.size() >= kListMax) {
      return all;
    }
    more = {{"key-marker", page.next_key}, {"upload-id-marker", page.next_id}};
  }
}

Result<void> S3Context::abort_upload(const std::string& key, const std::string& id) {
  const HttpAnswer answer =
      TRY(client.call({S3Operation::kMultipart, "DELETE", key, {{"uploadId", id}}}));
  if (answer.status != 204 && answer.status != 200 && answer.status != 404) {
    return refused(answer);
  }
  return {};
}

Result<void> S3Context::remove_tails(std::string_view uuid) {
  std::vector<std::string> keys;
  for (ListedObject& object : TRY(list(tail_key(uuid)))) {
    keys.push_back(std::move(object.key));
  }
  return remove(std::move(keys));
}

}  // namespace roadstead::storage::internal
