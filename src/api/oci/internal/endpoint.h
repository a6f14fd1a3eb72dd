#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "api/oci/route.h"
#include "api/oci/services.h"
#include "auth/permission.h"
#include "http/endpoint.h"
#include "model/reference.h"
#include "registry/caller.h"

namespace roadstead::api::oci::internal {

/// One row of the table of operations. There is no default permission: a row without one does not
/// compile.
struct Operation {
  Shape shape;
  http::Method method;
  std::string_view name;  ///< For metrics and the access log.
  auth::Permission permission;
};

/// What all endpoints of this API share: who asks, how refusals look, where names come from.
/// Stateless: called from many threads at once.
class OciEndpoint : public http::Endpoint {
 public:
  OciEndpoint(const Services& services, const Operation& operation)
      : services_(services), operation_(operation) {}
  [[nodiscard]] std::string_view name() const override { return operation_.name; }

 protected:
  /// Who asks, as far as that can be told without waiting; nothing when it cannot.
  std::optional<Result<auth::Principal>> who_now(const http::Request& request,
                                                 http::Context& context) const;
  Result<auth::Principal> who(const http::Request& request, http::Context& context) const;
  [[nodiscard]] registry::Caller caller(const auth::Principal& principal) const {
    return {principal, operation_.permission};
  }
  /// The answer to an error; a 401 carries the challenge for this operation, for a mount also for
  /// pulling from `source`.
  [[nodiscard]] http::Response refuse(const Error& error, const http::Request& request,
                                      const http::Context& context,
                                      std::string_view source = {}) const;

  /// From the path; escapes are decoded, repeated slashes count once, as clients expect of Harbor.
  static Result<model::RepositoryName> repository_of(const http::Context& context);
  static Result<model::RepositoryName> parse_repository(std::string_view text);
  static Result<model::Digest> digest_of(const http::Context& context);
  static Result<std::string> reference_text(const http::Context& context);

  const Services& services_;

 private:
  std::optional<Error> refuse_anonymous(const http::Request& request, const http::Context& context,
                                        const auth::Principal& principal) const;
  /// What wrong credentials are answered, the same as for credentials that do not suffice.
  [[nodiscard]] std::string refusal(const http::Context& context) const;
  Result<auth::Principal> accept(Result<auth::Principal> principal, const http::Request& request,
                                 http::Context& context) const;
  const Operation& operation_;
};

/// An answer with the header that every answer of this API has.
http::Response answer(int status);
/// "/v2/<name>/<kind>/<last>"
std::string location(const model::RepositoryName& repository, std::string_view kind,
                     std::string_view last);
constexpr std::string_view kJsonType = "application/json; charset=utf-8";
constexpr std::string_view kDigestHeader = "Docker-Content-Digest";

/// Made once by Api, one for each row of the table.
std::unique_ptr<http::Endpoint> make_base(const Services&, const Operation&);
std::unique_ptr<http::Endpoint> make_catalog(const Services&, const Operation&);
std::unique_ptr<http::Endpoint> make_tags(const Services&, const Operation&);
std::unique_ptr<http::Endpoint> make_referrers(const Services&, const Operation&);
std::unique_ptr<http::Endpoint> make_manifest_read(const Services&, const Operation&);
std::unique_ptr<http::Endpoint> make_manifest_put(const Services&, const Operation&);
std::unique_ptr<http::Endpoint> make_manifest_delete(const Services&, const Operation&);
std::unique_ptr<http::Endpoint> make_blob_read(const Services&, const Operation&);
std::unique_ptr<http::Endpoint> make_blob_delete(const Services&, const Operation&);
std::unique_ptr<http::Endpoint> make_upload_start(const Services&, const Operation&);
std::unique_ptr<http::Endpoint> make_upload_status(const Services&, const Operation&);
std::unique_ptr<http::Endpoint> make_upload_chunk(const Services&, const Operation&);
std::unique_ptr<http::Endpoint> make_upload_finish(const Services&, const Operation&);
std::unique_ptr<http::Endpoint> make_upload_cancel(const Services&, const Operation&);

}  // namespace roadstead::api::oci::internal
