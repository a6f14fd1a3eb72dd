#include "api/operation/errors.h"

#include <string>

#include "base/text.h"
#include "json/json.h"

namespace roadstead::api {
namespace {

constexpr std::string_view kRetrySeconds = "1";

ErrorStatus denied_of(Subject subject) {
  return subject == Subject::kQuota ? ErrorStatus{403, "DENIED"} : ErrorStatus{403, "FORBIDDEN"};
}

/// 422 is for requests whose form is wrong, 400 for values that are not acceptable.
ErrorStatus invalid_of(Subject subject) {
  return subject == Subject::kRequest ? ErrorStatus{422, "UNPROCESSABLE_ENTITY"}
                                      : ErrorStatus{400, "BAD_REQUEST"};
}

/// Something else still needs it, or its own state forbids it.
ErrorStatus precondition_of(Subject subject) {
  return subject == Subject::kManifest ? ErrorStatus{412, "VIOLATE_FOREIGN_KEY_CONSTRAINT"}
                                       : ErrorStatus{412, "PRECONDITION"};
}

}  // namespace

ErrorStatus status_of(const Error& error) {
  switch (error.code) {
    case Code::kInvalid:
      return invalid_of(error.subject);
    case Code::kUnauthenticated:
      return {401, "UNAUTHORIZED"};
    case Code::kDenied:
      return denied_of(error.subject);
    case Code::kNotFound:
      return {404, "NOT_FOUND"};
    case Code::kConflict:
      return {409, "CONFLICT"};
    case Code::kPrecondition:
      return precondition_of(error.subject);
    case Code::kTooLarge:
      return {413, "REQUEST_ENTITY_TOO_LARGE"};
    case Code::kRange:
      return {416, "RANGE_INVALID"};
    case Code::kDigestMismatch:
      return {400, "DIGEST_INVALID"};
    case Code::kUnsupported:
      return {400, "UNSUPPORTED"};
    case Code::kRateLimited:
      return {429, "TOO_MANY_REQUEST"};
    case Code::kUnavailable:
      return {503, "SERVICE_UNAVAILABLE"};
    case Code::kInternal:
      return {500, "UNKNOWN"};
  }
  return {500, "UNKNOWN"};
}

http::Response error_response(int status, std::string_view code, std::string_view message) {
  json::Writer w;
  w.begin_object();
  w.key("errors");
  w.begin_array();
  w.begin_object();
  w.member("code", code);
  w.member("message", message);
  w.end_object();
  w.end_array();
  w.end_object();
  http::Response response(status);
  response.set_body(w.take() + "\n", "application/json; charset=utf-8");
  return response;
}

http::Response error_response(const Error& error, const log::Logger& logger) {
  const ErrorStatus how = status_of(error);
  if (how.status >= 500) {
    logger.error("request failed", {{"error", describe(error)}});
  }
  const std::string_view message =
      how.status >= 500 ? std::string_view("internal server error") : error.message;
  http::Response response = error_response(how.status, how.code, message);
  if (error.code == Code::kRateLimited || error.code == Code::kUnavailable) {
    const bool told = parse_uint64(error.detail).has_value();
    response.add_header("Retry-After", told ? std::string_view(error.detail) : kRetrySeconds);
  }
  return response;
}

}  // namespace roadstead::api
