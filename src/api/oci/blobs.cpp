#include "api/oci/errors.h"
#include "api/oci/internal/endpoint.h"
#include "registry/pull.h"
#include "registry/remove.h"

namespace roadstead::api::oci::internal {
namespace {

constexpr std::string_view kBlobType = "application/octet-stream";

/// For stores whose blobs are not files.
class ReaderSource final : public http::BodySource {
 public:
  explicit ReaderSource(std::unique_ptr<storage::BlobReader> reader) : reader_(std::move(reader)) {}
  [[nodiscard]] std::uint64_t length() const override { return reader_->size(); }
  Result<std::size_t> read(std::uint64_t offset, std::span<std::byte> into) override {
    return reader_->read_at(offset, into);
  }

 private:
  std::unique_ptr<storage::BlobReader> reader_;
};

Error other_length(const registry::FoundBlob& found) {
  return Error{Code::kInternal, Subject::kStorage, "content has another length than its row",
               found.location.value};
}

class BlobRead final : public OciEndpoint {
 public:
  using OciEndpoint::OciEndpoint;

  std::optional<http::Response> try_now(const http::Request& request,
                                        http::Context& context) override {
    const auto principal = who_now(request, context);
    if (!principal) {
      return std::nullopt;
    }
    if (!principal->has_value()) {
      return refuse(principal->error(), request, context);
    }
    const bool opens = request.method != http::Method::kHead && services_.store.traits().remote;
    if (!services_.database.reads_are_local() || opens) {
      return std::nullopt;
    }
    return read(**principal, request, context);
  }

  http::Response handle(const http::Request& request, http::Context& context) override {
    const auto principal = who(request, context);
    if (!principal) {
      return refuse(principal.error(), request, context);
    }
    return read(*principal, request, context);
  }

 private:
  [[nodiscard]] http::Response read(const auth::Principal& principal, const http::Request& request,
                                    const http::Context& context) const {
    auto response = respond(principal, request, context);
    return response ? std::move(*response) : refuse(response.error(), request, context);
  }

  Result<http::Response> respond(const auth::Principal& principal, const http::Request& request,
                                 const http::Context& context) const {
    const bool head = request.method == http::Method::kHead;
    const auto repository = TRY(repository_of(context));
    const auto parsed = digest_of(context);
    if (!parsed && head) {
      return Error{Code::kNotFound, Subject::kBlob, "blob unknown to registry", {}};
    }
    const model::Digest digest = TRY(parsed);
    auto found = TRY(services_.database.read_once([&](db::ReadSession& session) {
      return registry::find_blob(session, caller(principal), repository, digest,
                                 {head, services_.options.grace});
    }));
    http::Response response = answer(200);
    response.add_header(kDigestHeader, digest.to_string());
    response.add_header("Cache-Control", "max-age=31536000");
    std::string etag;
    etag.reserve(digest.to_string().size() + 2);
    etag.append("\"").append(digest.to_string()).append("\"");
    response.set_etag(etag);
    response.allow_ranges();
    if (head) {
      response.set_length_only(static_cast<std::uint64_t>(found.size), kBlobType);
      return response;
    }
    if (auto elsewhere = redirect(request, context, found)) {
      return std::move(*elsewhere);
    }
    // Who asks under conditions may be told that nothing has changed.
    const bool parts = request.header("Range") || request.header("If-None-Match");
    const auto attached = attach(response, digest, std::move(found),
                                 parts ? storage::Reading::kParts : storage::Reading::kWhole);
    if (!attached && attached.error().code == Code::kUnavailable) {
      return attached.error();
    }
    if (!attached) {
      context.logger.error("a blob cannot be served", {{"error", describe(attached.error())}});
      return plain_error(500, "UNKNOWN",
                         "the stored content of this blob is damaged; its administrator can find "
                         "and mark such content with roadstead fsck, then it can be pushed again");
    }
    return response;
  }

  /// Nothing when this download is not to be sent away, or the store cannot say where to.
  [[nodiscard]] std::optional<http::Response> redirect(const http::Request& request,
                                                       const http::Context& context,
                                                       const registry::FoundBlob& found) const {
    const RedirectPolicy& policy = services_.redirects;
    storage::PresignedUrls* const urls =
        policy.enabled() ? services_.store.presigned_urls() : nullptr;
    if (urls == nullptr || found.bytes ||
        !policy.applies(request, static_cast<std::uint64_t>(found.size))) {
      return std::nullopt;
    }
    const auto url =
        urls->url(found.location, policy.lifetime(), {std::string(kBlobType), "max-age=31536000"});
    if (!url) {
      context.logger.warning("a download is not sent to the object store",
                             {{"error", describe(url.error())}});
      return std::nullopt;
    }
    http::Response response = answer(307);
    response.add_header("Location", *url);
    // Whoever keeps it would keep it longer than it is good for.
    response.add_header("Cache-Control", "no-store");
    return response;
  }

  Result<void> attach(http::Response& response, const model::Digest& digest,
                      registry::FoundBlob found, storage::Reading reading) const {
    if (found.bytes) {
      if (found.bytes->size() != static_cast<std::uint64_t>(found.size)) {
        return other_length(found);
      }
      response.set_body(std::move(*found.bytes), kBlobType);
      return {};
    }
    auto reader = services_.store.open_copy(found.location, digest, reading);
    if (!reader && reader.error().code == Code::kUnavailable) {
      return reader.error();
    }
    if (!reader) {
      // The row says that it is there: not the client's mistake.
      return Error{Code::kInternal, Subject::kStorage,
                   "content is missing: " + describe(reader.error()), found.location.value};
    }
    const std::uint64_t size = (*reader)->size();
    if (size != static_cast<std::uint64_t>(found.size)) {
      return other_length(found);
    }
    if (auto file = (*reader)->file()) {
      response.set_body(http::FileRegion{std::move(file), 0, size}, kBlobType);
    } else {
      response.set_body(std::make_unique<ReaderSource>(std::move(*reader)), kBlobType);
    }
    return {};
  }
};

class BlobDelete final : public OciEndpoint {
 public:
  using OciEndpoint::OciEndpoint;

  http::Response handle(const http::Request& request, http::Context& context) override {
    const auto principal = who(request, context);
    if (!principal) {
      return refuse(principal.error(), request, context);
    }
    const auto removed = remove(*principal, context);
    return removed ? answer(202) : refuse(removed.error(), request, context);
  }

 private:
  Result<void> remove(const auth::Principal& principal, const http::Context& context) const {
    const auto repository = TRY(repository_of(context));
    const model::Digest digest = TRY(digest_of(context));
    return registry::delete_blob(services_.database, services_.options, caller(principal),
                                 repository, digest);
  }
};

}  // namespace

std::unique_ptr<http::Endpoint> make_blob_read(const Services& services,
                                               const Operation& operation) {
  return std::make_unique<BlobRead>(services, operation);
}
std::unique_ptr<http::Endpoint> make_blob_delete(const Services& services,
                                                 const Operation& operation) {
  return std::make_unique<BlobDelete>(services, operation);
}

}  // namespace roadstead::api::oci::internal
