#include <fmt/format.h>

#include "api/oci/errors.h"
#include "api/oci/internal/endpoint.h"
#include "base/text.h"
#include "http/uri.h"
#include "model/manifest.h"
#include "registry/pull.h"
#include "registry/push.h"
#include "registry/remove.h"

namespace roadstead::api::oci::internal {
namespace {

/// A manifest larger than this is fetched on the pool, not on an I/O thread.
constexpr std::int64_t kInlineMax = std::int64_t{64} << 10U;

/// GET and HEAD, by tag and digest: the path that everything else is measured by.
class ManifestRead final : public OciEndpoint {
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
    if (!services_.database.reads_are_local()) {
      return std::nullopt;
    }
    return read(**principal, request, context, kInlineMax);
  }

  http::Response handle(const http::Request& request, http::Context& context) override {
    const auto principal = who(request, context);
    if (!principal) {
      return refuse(principal.error(), request, context);
    }
    return *read(*principal, request, context, INT64_MAX);
  }

 private:
  /// Nothing when the manifest is larger than `bytes_max`.
  std::optional<http::Response> read(const auth::Principal& principal, const http::Request& request,
                                     const http::Context& context, std::int64_t bytes_max) const {
    const bool head = request.method == http::Method::kHead;
    auto found = find(principal, context, {head, services_.options.grace, bytes_max});
    if (!found) {
      return refuse(found.error(), request, context);
    }
    if (!head && !found->bytes) {
      return std::nullopt;
    }
    return respond(std::move(*found), request, head);
  }

  Result<registry::FoundManifest> find(const auth::Principal& principal,
                                       const http::Context& context,
                                       const registry::Probe& probe) const {
    const auto repository = TRY(repository_of(context));
    const std::string text = TRY(reference_text(context));
    auto reference = model::parse_reference(text);
    if (!reference) {
      // What cannot be the name of a manifest names none.
      return Error{Code::kNotFound, Subject::kManifest,
                   fmt::format("artifact {}:{} not found", repository.to_string(), text), text};
    }
    return services_.database.read_once([&](db::ReadSession& session) {
      return registry::find_manifest(session, caller(principal), repository, *reference, probe);
    });
  }

  static http::Response respond(registry::FoundManifest found, const http::Request& request,
                                bool head) {
    // Harbor also takes the digest without quotes.
    const auto known = request.header("If-None-Match");
    http::Response response = answer(known && *known == found.digest ? 304 : 200);
    response.add_header(kDigestHeader, found.digest);
    std::string etag;
    etag.reserve(found.digest.size() + 2);
    etag.append("\"").append(found.digest).append("\"");
    response.set_etag(etag);
    if (response.status() == 304) {
      return response;
    }
    if (head) {
      response.set_length_only(static_cast<std::uint64_t>(found.size), found.media_type);
    } else {
      response.set_body(std::move(*found.bytes), found.media_type);
    }
    return response;
  }
};

/// "text/plain; charset=utf-8" → "text/plain".
std::string_view without_parameters(std::string_view content_type) {
  return trim(content_type.substr(0, content_type.find(';')));
}

class ManifestPut final : public OciEndpoint {
 public:
  using OciEndpoint::OciEndpoint;
  [[nodiscard]] http::BodyMode body_mode() const override { return http::BodyMode::kBuffered; }
  [[nodiscard]] std::size_t body_max() const override { return model::kManifestSizeMax; }

  http::Response handle(const http::Request& request, http::Context& context) override {
    const auto principal = who(request, context);
    if (!principal) {
      return refuse(principal.error(), request, context);
    }
    auto response = put(*principal, request, context);
    return response ? std::move(*response) : refuse(response.error(), request, context);
  }

 private:
  static Result<std::vector<model::Tag>> tags_of(const http::Request& request) {
    const auto query = http::Query::parse(request.query);
    if (!query) {
      return Error{Code::kInvalid, Subject::kRequest, "the query is malformed", {}};
    }
    const auto texts = query->all("tag");
    if (texts.size() > registry::kPushTagsMax) {
      return Error{Code::kInvalid,
                   Subject::kTag,
                   fmt::format("more than {} tags in one request", registry::kPushTagsMax),
                   {}};
    }
    std::vector<model::Tag> tags;
    for (const std::string_view text : texts) {
      tags.push_back(TRY(model::Tag::parse(text)));
    }
    return tags;
  }

  Result<http::Response> put(const auth::Principal& principal, const http::Request& request,
                             const http::Context& context) const {
    const auto repository = TRY(repository_of(context));
    const std::string text = TRY(reference_text(context));
    const auto reference = TRY(model::parse_reference(text));
    auto tags = TRY(tags_of(request));
    const std::string_view type = without_parameters(request.header("Content-Type").value_or(""));
    const bool answer_tags = !tags.empty();
    const auto pushed = TRY(registry::put_manifest(
        services_.database, services_.store, services_.options, caller(principal),
        {repository, reference, type, request.body, std::move(tags)}));
    http::Response response = answer(201);
    response.add_header("Location", location(repository, "/manifests/", pushed.digest));
    response.add_header(kDigestHeader, pushed.digest);
    if (pushed.subject) {
      response.add_header("OCI-Subject", *pushed.subject);
    }
    if (answer_tags) {
      response.add_header("OCI-Tag", fmt::format("{}", fmt::join(pushed.tags, ", ")));
    }
    return response;
  }
};

class ManifestDelete final : public OciEndpoint {
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
    const std::string text = TRY(reference_text(context));
    const auto reference = TRY(model::parse_reference(text));
    if (const auto* tag = std::get_if<model::Tag>(&reference)) {
      return registry::delete_tag(services_.database, services_.options, caller(principal),
                                  repository, *tag);
    }
    return registry::delete_manifest(services_.database, services_.options, caller(principal),
                                     repository, std::get<model::Digest>(reference));
  }
};

}  // namespace

std::unique_ptr<http::Endpoint> make_manifest_read(const Services& services,
                                                   const Operation& operation) {
  return std::make_unique<ManifestRead>(services, operation);
}
std::unique_ptr<http::Endpoint> make_manifest_put(const Services& services,
                                                  const Operation& operation) {
  return std::make_unique<ManifestPut>(services, operation);
}
std::unique_ptr<http::Endpoint> make_manifest_delete(const Services& services,
                                                     const Operation& operation) {
  return std::make_unique<ManifestDelete>(services, operation);
}

}  // namespace roadstead::api::oci::internal
