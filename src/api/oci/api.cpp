#include "api/oci/api.h"

#include <algorithm>
#include <array>
#include <vector>

#include "api/oci/errors.h"
#include "api/oci/internal/endpoint.h"
#include "base/text.h"

namespace roadstead::api::oci {
namespace {

using auth::Action;
using auth::Permission;
using auth::Resource;
using http::Method;
using internal::Operation;

constexpr Permission kPull = Permission::project(Resource::kRepository, Action::kPull);
constexpr Permission kPush = Permission::project(Resource::kRepository, Action::kPush);
constexpr Permission kDelete = Permission::project(Resource::kRepository, Action::kDelete);
constexpr Permission kCatalog = Permission::system(Resource::kCatalog, Action::kRead);

using Make = std::unique_ptr<http::Endpoint> (*)(const Services&, const Operation&);
struct Row {
  Operation operation;
  Make make;
};

/// Every operation of this API: what it is, what it needs, what answers it.
constexpr std::array kRows{
    Row{{Shape::kBase, Method::kGet, "GET /v2/", Permission::authenticated()}, internal::make_base},
    Row{{Shape::kBase, Method::kHead, "HEAD /v2/", Permission::authenticated()},
        internal::make_base},
    Row{{Shape::kCatalog, Method::kGet, "GET /v2/_catalog", kCatalog}, internal::make_catalog},
    Row{{Shape::kTags, Method::kGet, "GET /v2/{name}/tags/list", kPull}, internal::make_tags},
    Row{{Shape::kManifest, Method::kGet, "GET /v2/{name}/manifests/{reference}", kPull},
        internal::make_manifest_read},
    Row{{Shape::kManifest, Method::kHead, "HEAD /v2/{name}/manifests/{reference}", kPull},
        internal::make_manifest_read},
    Row{{Shape::kManifest, Method::kPut, "PUT /v2/{name}/manifests/{reference}", kPush},
        internal::make_manifest_put},
    Row{{Shape::kManifest, Method::kDelete, "DELETE /v2/{name}/manifests/{reference}", kDelete},
        internal::make_manifest_delete},
    Row{{Shape::kBlob, Method::kGet, "GET /v2/{name}/blobs/{digest}", kPull},
        internal::make_blob_read},
    Row{{Shape::kBlob, Method::kHead, "HEAD /v2/{name}/blobs/{digest}", kPull},
        internal::make_blob_read},
    Row{{Shape::kBlob, Method::kDelete, "DELETE /v2/{name}/blobs/{digest}", kDelete},
        internal::make_blob_delete},
    Row{{Shape::kUploads, Method::kPost, "POST /v2/{name}/blobs/uploads/", kPush},
        internal::make_upload_start},
    Row{{Shape::kUpload, Method::kGet, "GET /v2/{name}/blobs/uploads/{id}", kPush},
        internal::make_upload_status},
    Row{{Shape::kUpload, Method::kPatch, "PATCH /v2/{name}/blobs/uploads/{id}", kPush},
        internal::make_upload_chunk},
    Row{{Shape::kUpload, Method::kPut, "PUT /v2/{name}/blobs/uploads/{id}", kPush},
        internal::make_upload_finish},
    Row{{Shape::kUpload, Method::kDelete, "DELETE /v2/{name}/blobs/uploads/{id}", kPush},
        internal::make_upload_cancel},
    Row{{Shape::kReferrers, Method::kGet, "GET /v2/{name}/referrers/{digest}", kPull},
        internal::make_referrers},
    Row{{Shape::kReferrers, Method::kHead, "HEAD /v2/{name}/referrers/{digest}", kPull},
        internal::make_referrers},
};

/// Answers by the path and method alone, before any body is read.
class Refusal : public http::Endpoint {
 public:
  [[nodiscard]] http::BodyMode body_mode() const final { return http::BodyMode::kStreamed; }
  std::variant<http::Response, std::unique_ptr<http::BodySink>> open(
      const http::Request& /*request*/, http::Context& /*context*/) final {
    return respond();
  }

 protected:
  [[nodiscard]] virtual http::Response respond() const = 0;
};

/// What the path says nothing is here for.
class Unknown final : public Refusal {
 public:
  [[nodiscard]] std::string_view name() const override { return "unknown /v2/ path"; }

 protected:
  [[nodiscard]] http::Response respond() const override {
    return plain_error(404, "NAME_UNKNOWN", "nothing of the distribution API has this path");
  }
};

/// A path of the API with a method that it does not know.
class WrongMethod final : public Refusal {
 public:
  explicit WrongMethod(std::string allow) : allow_(std::move(allow)) {}
  [[nodiscard]] std::string_view name() const override { return "other method on a /v2/ path"; }

 protected:
  [[nodiscard]] http::Response respond() const override {
    http::Response response = plain_error(405, "UNSUPPORTED", "Method not allowed");
    response.add_header("Allow", allow_);
    return response;
  }

 private:
  std::string allow_;
};

constexpr std::size_t kShapes = static_cast<std::size_t>(Shape::kReferrers) + 1;
constexpr std::size_t kMethods = static_cast<std::size_t>(Method::kOther) + 1;

std::string allowed(Shape shape) {
  std::vector<std::string_view> methods;
  for (const Row& row : kRows) {
    if (row.operation.shape == shape) {
      methods.push_back(http::to_string(row.operation.method));
    }
  }
  std::sort(methods.begin(), methods.end());
  std::string list;
  for (const std::string_view method : methods) {
    list.append(list.empty() ? "" : ", ").append(method);
  }
  return list;
}

std::string_view code_for(int status) {
  switch (status) {
    case 413:
      return "SIZE_INVALID";
    case 429:
      return "TOOMANYREQUESTS";
    case 500:
      return "UNKNOWN";
    case 503:
      return "UNAVAILABLE";
    default:
      return "UNSUPPORTED";
  }
}

}  // namespace

struct Api::State {
  explicit State(Services given) : services(std::move(given)) {
    for (std::size_t shape = 0; shape < kShapes; ++shape) {
      wrong_method.at(shape) = std::make_unique<WrongMethod>(allowed(static_cast<Shape>(shape)));
    }
    for (const Row& row : kRows) {
      at(row.operation.shape, row.operation.method) = row.make(services, row.operation);
    }
  }
  std::unique_ptr<http::Endpoint>& at(Shape shape, Method method) {
    return endpoints.at(static_cast<std::size_t>(shape)).at(static_cast<std::size_t>(method));
  }

  const Services services;
  std::array<std::array<std::unique_ptr<http::Endpoint>, kMethods>, kShapes> endpoints;
  std::array<std::unique_ptr<WrongMethod>, kShapes> wrong_method;
  Unknown unknown;
};

Api::Api(Services services) : state_(std::make_unique<State>(std::move(services))) {}

Api::~Api() = default;

bool Api::owns(std::string_view path) {
  return path == "/v2" || path.starts_with("/v2/");
}

http::Endpoint& Api::route(const http::Request& request, http::RouteParameters& parameters) {
  const auto parsed = parse_path(request.path);
  if (!parsed) {
    return state_->unknown;
  }
  parameters.push(parsed->name);
  parameters.push(parsed->reference);
  const auto& endpoint = state_->at(parsed->shape, request.method);
  return endpoint != nullptr ? *endpoint
                             : *state_->wrong_method.at(static_cast<std::size_t>(parsed->shape));
}

http::Response Api::refuse(int status, std::string_view reason) {
  return plain_error(status, code_for(status), reason);
}

}  // namespace roadstead::api::oci
