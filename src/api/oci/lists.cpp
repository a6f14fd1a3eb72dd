#include <fmt/format.h>

#include "api/oci/errors.h"
#include "api/oci/internal/endpoint.h"
#include "api/token/challenge.h"
#include "auth/user_access.h"
#include "base/text.h"
#include "http/uri.h"
#include "json/json.h"
#include "model/manifest.h"
#include "registry/listing.h"

namespace roadstead::api::oci::internal {
namespace {

/// Pages up to this size are read on an I/O thread.
constexpr std::int64_t kInlineNamesMax = 1'000;

Error bad_query(std::string_view what) {
  return Error{Code::kInvalid, Subject::kRequest, std::string(what), {}};
}

struct NameQuery {
  std::int64_t n = registry::kNamesPageMax;
  std::string last;
};
Result<NameQuery> name_query(const http::Request& request) {
  const auto query = http::Query::parse(request.query);
  if (!query) {
    return bad_query("the query is malformed");
  }
  NameQuery wanted;
  if (const auto n = query->get("n")) {
    const auto number = parse_int64(*n);
    if (!number || *number < 0) {
      return bad_query("n must be a number that is not negative");
    }
    wanted.n = std::min(*number, registry::kNamesPageMax);
  }
  wanted.last = query->get("last").value_or("");
  return wanted;
}

void add_next(http::Response& response, std::string_view target) {
  response.add_header("Link", fmt::format("<{}>; rel=\"next\"", target));
}

void write_names(json::Writer& writer, std::string_view member,
                 const std::vector<std::string>& names) {
  writer.key(member);
  writer.begin_array();
  for (const std::string& name : names) {
    writer.value(name);
  }
  writer.end_array();
}

/// GET /v2/: tells that the registry is here and whether the credentials count.
class Base final : public OciEndpoint {
 public:
  using OciEndpoint::OciEndpoint;

  std::optional<http::Response> try_now(const http::Request& request,
                                        http::Context& context) override {
    auto principal = who_now(request, context);
    if (!principal || (principal->has_value() && !services_.database.reads_are_local())) {
      return std::nullopt;
    }
    return respond(*principal, request, context);
  }

  http::Response handle(const http::Request& request, http::Context& context) override {
    return respond(who(request, context), request, context);
  }

 private:
  [[nodiscard]] http::Response respond(const Result<auth::Principal>& principal,
                                       const http::Request& request,
                                       const http::Context& context) const {
    const auto welcome = check(principal);
    if (!welcome) {
      return refuse(welcome.error(), request, context);
    }
    http::Response response = answer(200);
    response.set_body("{}", kJsonType);
    return response;
  }

  [[nodiscard]] Result<void> check(const Result<auth::Principal>& principal) const {
    if (!principal) {
      return principal.error();
    }
    const auto access = TRY(services_.database.read(
        [&](db::ReadSession& session) { return auth::UserAccess::read(session, *principal); }));
    if (!access.credentials_hold(*principal)) {
      return Error{Code::kUnauthenticated, Subject::kUser, "unauthorized", {}};
    }
    return {};
  }
};

class Catalog final : public OciEndpoint {
 public:
  using OciEndpoint::OciEndpoint;

  http::Response handle(const http::Request& request, http::Context& context) override {
    auto response = list(who(request, context), request);
    return response ? std::move(*response) : refuse(response.error(), request, context);
  }

 private:
  [[nodiscard]] Result<http::Response> list(Result<auth::Principal> principal,
                                            const http::Request& request) const {
    const Error refusal{
        Code::kUnauthenticated, Subject::kRepository, "unauthorized to list catalog", {}};
    if (!principal) {
      return principal.error().code == Code::kUnauthenticated ? refusal : principal.error();
    }
    const auto may_list = TRY(services_.database.read(
        [&](db::ReadSession& session) { return auth::UserAccess::read(session, *principal); }));
    if (!may_list.may_list_catalog(*principal)) {
      return refusal;
    }
    const NameQuery wanted = TRY(name_query(request));
    const auto page = TRY(services_.database.read([&](db::ReadSession& session) {
      return registry::list_catalog(session, wanted.n, wanted.last);
    }));
    json::Writer writer;
    writer.begin_object();
    write_names(writer, "repositories", page.names);
    writer.end_object();
    http::Response response = answer(200);
    if (page.more) {
      add_next(response, fmt::format("/v2/_catalog?last={}&n={}",
                                     http::percent_encode(page.names.back()), wanted.n));
    }
    response.set_body(writer.take(), kJsonType);
    return response;
  }
};

class Tags final : public OciEndpoint {
 public:
  using OciEndpoint::OciEndpoint;

  std::optional<http::Response> try_now(const http::Request& request,
                                        http::Context& context) override {
    const auto wanted = name_query(request);
    if (!services_.database.reads_are_local() || !wanted || wanted->n > kInlineNamesMax) {
      return std::nullopt;
    }
    auto principal = who_now(request, context);
    if (!principal) {
      return std::nullopt;
    }
    return respond(std::move(*principal), request, context);
  }

  http::Response handle(const http::Request& request, http::Context& context) override {
    return respond(who(request, context), request, context);
  }

 private:
  [[nodiscard]] http::Response respond(Result<auth::Principal> principal,
                                       const http::Request& request,
                                       const http::Context& context) const {
    auto response = list(std::move(principal), request, context);
    return response ? std::move(*response) : refuse(response.error(), request, context);
  }

  [[nodiscard]] Result<http::Response> list(Result<auth::Principal> who,
                                            const http::Request& request,
                                            const http::Context& context) const {
    const auth::Principal principal = TRY(std::move(who));
    const auto repository = TRY(repository_of(context));
    const NameQuery wanted = TRY(name_query(request));
    const auto page = TRY(services_.database.read([&](db::ReadSession& session) {
      return registry::list_tags(session, caller(principal), repository, wanted.n, wanted.last);
    }));
    json::Writer writer;
    writer.begin_object();
    writer.member("name", repository.to_string());
    write_names(writer, "tags", page.names);
    writer.end_object();
    http::Response response = answer(200);
    if (page.more) {
      add_next(response, fmt::format("/v2/{}/tags/list?last={}&n={}", repository.to_string(),
                                     http::percent_encode(page.names.back()), wanted.n));
    }
    response.set_body(writer.take(), kJsonType);
    return response;
  }
};

class Referrers final : public OciEndpoint {
 public:
  using OciEndpoint::OciEndpoint;

  http::Response handle(const http::Request& request, http::Context& context) override {
    auto response = list(who(request, context), request, context);
    return response ? std::move(*response) : refuse(response.error(), request, context);
  }

 private:
  struct Wanted {
    std::string artifact_type;
    ArtifactId after;
  };
  static Result<Wanted> wanted_from(const http::Request& request) {
    const auto query = http::Query::parse(request.query);
    if (!query) {
      return bad_query("the query is malformed");
    }
    Wanted wanted;
    wanted.artifact_type = query->get("artifactType").value_or("");
    if (const auto after = query->get("after")) {
      const auto number = parse_int64(*after);
      if (!number) {
        return bad_query("after must be what a Link header gave");
      }
      wanted.after.value = *number;
    }
    return wanted;
  }

  static std::string body_of(const registry::ReferrerPage& page) {
    json::Writer writer;
    writer.begin_object();
    writer.member("schemaVersion", 2);
    writer.member("mediaType", model::media_type::kOciIndex);
    writer.key("manifests");
    writer.begin_array();
    for (const registry::Referrer& referrer : page.referrers) {
      writer.begin_object();
      writer.member("mediaType", referrer.media_type);
      writer.member("digest", referrer.digest);
      writer.member("size", referrer.size);
      if (!referrer.annotations.empty()) {
        writer.key("annotations");
        writer.raw(referrer.annotations);
      }
      if (!referrer.artifact_type.empty()) {
        writer.member("artifactType", referrer.artifact_type);
      }
      writer.end_object();
    }
    writer.end_array();
    writer.end_object();
    return writer.take();
  }

  [[nodiscard]] Result<http::Response> list(Result<auth::Principal> who,
                                            const http::Request& request,
                                            const http::Context& context) const {
    const auth::Principal principal = TRY(std::move(who));
    const auto repository = TRY(repository_of(context));
    const model::Digest subject = TRY(digest_of(context));
    const Wanted wanted = TRY(wanted_from(request));
    const auto page = TRY(services_.database.read([&](db::ReadSession& session) {
      return registry::list_referrers(session, caller(principal), repository, subject,
                                      wanted.artifact_type, wanted.after);
    }));
    http::Response response = answer(200);
    response.add_header("X-Total-Count", std::to_string(page.total));
    std::string filter;
    if (!wanted.artifact_type.empty()) {
      response.add_header("OCI-Filters-Applied", "artifactType");
      filter = "artifactType=" + http::percent_encode(wanted.artifact_type) + "&";
    }
    if (page.next) {
      add_next(response, fmt::format("/v2/{}/referrers/{}?{}after={}", repository.to_string(),
                                     subject.to_string(), filter, page.next->value));
    }
    response.set_body(body_of(page), model::media_type::kOciIndex);
    return response;
  }
};

}  // namespace

std::unique_ptr<http::Endpoint> make_base(const Services& services, const Operation& operation) {
  return std::make_unique<Base>(services, operation);
}
std::unique_ptr<http::Endpoint> make_catalog(const Services& services, const Operation& operation) {
  return std::make_unique<Catalog>(services, operation);
}
std::unique_ptr<http::Endpoint> make_tags(const Services& services, const Operation& operation) {
  return std::make_unique<Tags>(services, operation);
}
std::unique_ptr<http::Endpoint> make_referrers(const Services& services,
                                               const Operation& operation) {
  return std::make_unique<Referrers>(services, operation);
}

}  // namespace roadstead::api::oci::internal
