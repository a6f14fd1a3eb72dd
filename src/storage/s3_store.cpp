#include <algorithm>
#include <map>

#include "base/clock.h"
#include "base/text.h"
#include "storage/internal/layout.h"
#include "storage/internal/s3_context.h"
#include "storage/internal/s3_reader.h"
#include "storage/internal/s3_token.h"
#include "storage/internal/s3_writer.h"
#include "storage/internal/upload_token.h"
#include "storage/s3.h"

namespace roadstead::storage {
namespace {

using internal::blob_unknown;
using internal::HttpAnswer;
using internal::kS3Blobs;
using internal::kS3Distribution;
using internal::kS3Uploads;
using internal::ListedObject;
using internal::ListedUpload;
using internal::S3Call;
using internal::S3Context;
using internal::S3Token;

constexpr std::size_t kPageMax = 1'000;
/// Stale uploads that are looked for at once; the rest come next time.
constexpr std::size_t kStaleMax = 10'000;

class S3Store final : public BlobStore, public PresignedUrls {
 public:
  explicit S3Store(const S3Options& options) : context_(options) {}

  Result<void> prepare();

  [[nodiscard]] StoreTraits traits() const override {
    return {.shared = true, .remote = true, .own_locations = true};
  }
  Result<std::uint64_t> stat(const Location& location) override;
  Result<std::unique_ptr<BlobReader>> open(const Location& location) override {
    return open_for(location, Reading::kWhole);
  }
  Result<std::unique_ptr<BlobReader>> open_copy(const Location& location,
                                                const model::Digest& /*content*/,
                                                Reading reading) override {
    return open_for(location, reading);
  }
  Result<std::unique_ptr<BlobWriter>> begin(model::Algorithm algorithm,
                                            std::uint64_t /*size_hint*/) override {
    return std::make_unique<internal::S3Writer>(context_, algorithm);
  }
  Result<std::unique_ptr<BlobWriter>> resume(const std::string& token) override;
  Result<void> discard(const std::string& token) override;
  [[nodiscard]] Result<void> check(const Location& location) const override;
  /// All of it happens at sync_removed(), as one request for many.
  Result<void> unlink(const Location& location) override { return check(location); }
  Result<void> sync_removed(std::span<const Location> locations) override;
  Result<std::vector<Location>> list(const std::string& cursor, std::size_t count) override;
  Result<std::vector<std::string>> stale_uploads(std::chrono::seconds age) override;
  Result<std::optional<std::uint64_t>> free_space() override {
    return std::optional<std::uint64_t>();
  }
  PresignedUrls* presigned_urls() override { return this; }
  Result<std::string> url(const Location& location, std::chrono::seconds lifetime,
                          const UrlHeaders& headers) override;

 private:
  Result<std::unique_ptr<BlobReader>> open_for(const Location& location, Reading reading);
  using NewestWrites = std::map<std::string, Time, std::less<>>;
  Result<void> list_from(const std::string& area, const std::string& after, std::size_t count,
                         std::vector<Location>& page);
  Result<Time> newest_part(const ListedUpload& upload);
  Result<Time> store_time();

  S3Context context_;
};

Error absent_or(const Error& error, const Location& location) {
  return error.code == Code::kNotFound ? blob_unknown(location) : error;
}

Result<void> S3Store::prepare() {
  S3Call call{S3Operation::kList, "GET"};
  call.query = {{"list-type", "2"},
                {"prefix", context_.client.options().prefix + std::string(kS3Blobs)},
                {"max-keys", "1"}};
  const HttpAnswer answer = TRY(context_.client.call(call));
  if (answer.status == 200) {
    return {};
  }
  const std::string code = internal::error_code(answer.body);
  const std::string_view region = answer.header("x-amz-bucket-region");
  return Error{Code::kInvalid, Subject::kConfiguration,
               "the bucket of storage_url cannot be used: " + std::to_string(answer.status) + " " +
                   code + (region.empty() ? "" : "; it is in the region " + std::string(region)),
               code};
}

Result<std::uint64_t> S3Store::stat(const Location& location) {
  const std::string key = TRY(context_.key_of(location));
  const HttpAnswer answer = TRY(context_.client.call({S3Operation::kHead, "HEAD", key}));
  if (answer.status == 404) {
    return blob_unknown(location);
  }
  const auto size = parse_uint64(answer.header("content-length"));
  if (answer.status != 200 || !size) {
    return internal::refused(answer);
  }
  return *size;
}

Result<std::unique_ptr<BlobReader>> S3Store::open_for(const Location& location, Reading reading) {
  auto reader = internal::S3Reader::open(context_.client, TRY(context_.key_of(location)), reading);
  if (!reader) {
    return absent_or(reader.error(), location);
  }
  return std::unique_ptr<BlobReader>(std::move(*reader));
}

Result<std::unique_ptr<BlobWriter>> S3Store::resume(const std::string& token) {
  S3Token parsed = TRY(S3Token::parse(token));
  return internal::S3Writer::resume(context_, std::move(parsed));
}

Result<void> S3Store::discard(const std::string& token) {
  const S3Token parsed = TRY(S3Token::parse(token));
  const std::string key = context_.blob_key(parsed.uuid);
  // Those of the key, and not that of the token: a request whose answer was lost began another one.
  for (const ListedUpload& upload : TRY(context_.list_uploads(key))) {
    TRY(context_.abort_upload(key, upload.id));
  }
  return context_.remove_tails(parsed.uuid);
}

Result<void> S3Store::check(const Location& location) const {
  TRY(context_.key_of(location));
  return {};
}

Result<void> S3Store::sync_removed(std::span<const Location> locations) {
  std::vector<std::string> keys;
  for (const Location& location : locations) {
    keys.push_back(TRY(context_.key_of(location)));
  }
  return context_.remove(std::move(keys));
}

Result<void> S3Store::list_from(const std::string& area, const std::string& after,
                                std::size_t count, std::vector<Location>& page) {
  internal::NamedValues more{{"max-keys", std::to_string(std::min(count, kPageMax))}};
  if (!after.empty()) {
    more.emplace_back("start-after", after);
  }
  while (page.size() < count) {
    const auto listed = TRY(context_.list_page(area, more));
    for (const ListedObject& object : listed.objects) {
      auto location = context_.location_of(object.key);
      if (location && page.size() < count) {
        page.push_back(std::move(*location));
      }
    }
    if (listed.next.empty()) {
      break;
    }
    more = {{"max-keys", std::to_string(std::min(count, kPageMax))},
            {"continuation-token", listed.next}};
  }
  return {};
}

Result<std::vector<Location>> S3Store::list(const std::string& cursor, std::size_t count) {
  std::vector<Location> page;
  std::string after;
  if (!cursor.empty()) {
    after = TRY(context_.key_of(Location{cursor}));
  }
  // In the order of their locations.
  const std::string& prefix = context_.client.options().prefix;
  if (cursor.empty() || cursor.starts_with(kS3Blobs)) {
    TRY(list_from(prefix + std::string(kS3Blobs), after, count, page));
    after.clear();
  }
  TRY(list_from(prefix + std::string(kS3Distribution), after, count, page));
  return page;
}

Result<Time> S3Store::newest_part(const ListedUpload& upload) {
  Time newest = upload.initiated_at;
  S3Call call{S3Operation::kMultipart, "GET", upload.key, {{"uploadId", upload.id}}};
  for (std::string marker = "0";;) {
    const HttpAnswer answer = TRY(context_.client.call(call));
    if (answer.status == 404) {
      return Time::max();  // It has ended meanwhile.
    }
    if (answer.status != 200) {
      return internal::refused(answer);
    }
    const auto page = TRY(internal::parse_parts(answer.body));
    for (const auto& part : page.parts) {
      newest = std::max(newest, part.modified_at);
    }
    if (page.next.empty() || page.next == marker) {
      return newest;
    }
    marker = page.next;
    call.query = {{"uploadId", upload.id}, {"part-number-marker", marker}};
  }
}

/// By the clock that gives objects their times.
Result<Time> S3Store::store_time() {
  const HttpAnswer answer = TRY(context_.client.call({S3Operation::kHead, "HEAD"}));
  const auto time = internal::parse_http_date(answer.header("date"));
  // The header has whole seconds only.
  return (time ? *time : SystemClock().now()) + std::chrono::seconds(1);
}

Result<std::vector<std::string>> S3Store::stale_uploads(std::chrono::seconds age) {
  const std::string blobs = context_.client.options().prefix + std::string(kS3Blobs);
  const std::string tails = context_.client.options().prefix + std::string(kS3Uploads);
  const auto uploads = TRY(context_.list_uploads(blobs));
  NewestWrites newest;
  for (const ListedObject& tail : TRY(context_.list(tails))) {
    const std::string_view uuid = std::string_view(tail.key).substr(tails.size()).substr(0, 36);
    if (internal::is_uuid(uuid)) {
      Time& known = newest[std::string(uuid)];
      known = std::max(known, tail.modified_at);
    }
  }
  const Time limit = TRY(store_time()) - age;
  for (const ListedUpload& upload : uploads) {
    const std::string_view uuid = std::string_view(upload.key).substr(blobs.size());
    if (!internal::is_uuid(uuid)) {
      continue;
    }
    Time& known = newest[std::string(uuid)];
    known = std::max(known, upload.initiated_at);
    // The store tells when an upload began; it may be a long one.
    if (known <= limit) {
      known = std::max(known, TRY(newest_part(upload)));
    }
  }
  std::vector<std::string> stale;
  for (const auto& [uuid, written_at] : newest) {
    if (written_at <= limit && stale.size() < kStaleMax) {
      stale.push_back(S3Token{uuid, {}, 0, {}, {}, {}, {}}.to_string());
    }
  }
  return stale;
}

Result<std::string> S3Store::url(const Location& location, std::chrono::seconds lifetime,
                                 const UrlHeaders& headers) {
  const std::string key = TRY(context_.key_of(location));
  internal::NamedValues query;
  if (!headers.content_type.empty()) {
    query.emplace_back("response-content-type", headers.content_type);
  }
  if (!headers.cache_control.empty()) {
    query.emplace_back("response-cache-control", headers.cache_control);
  }
  return context_.client.presigned_get(key, query, lifetime);
}

}  // namespace

std::string_view to_string(S3Operation operation) {
  static constexpr std::array<std::string_view, kS3Operations> kNames = {
      "get", "head", "put", "delete", "list", "multipart", "part", "credentials"};
  return kNames.at(static_cast<std::size_t>(operation));
}

std::string_view to_string(S3Outcome outcome) {
  static constexpr std::array<std::string_view, kS3Outcomes> kNames = {
      "done", "refused", "slow_down", "server_error", "broken"};
  return kNames.at(static_cast<std::size_t>(outcome));
}

Result<std::unique_ptr<BlobStore>> open_s3_store(const S3Options& options) {
  auto store = std::make_unique<S3Store>(options);
  TRY(store->prepare());
  return std::unique_ptr<BlobStore>(std::move(store));
}

}  // namespace roadstead::storage
