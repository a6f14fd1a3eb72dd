#pragma once

#include <string_view>

#include "base/error.h"
#include "base/log.h"
#include "http/message.h"

namespace roadstead::api {

/// How the REST API tells an error: {"errors":[{"code":"NOT_FOUND","message":"…"}]}.
struct ErrorStatus {
  int status;
  std::string_view code;
};
ErrorStatus status_of(const Error& error);

/// The answer to a failure. Of 5xx only "internal server error" is told; what it was goes to the
/// log. kRateLimited and kUnavailable carry Retry-After.
http::Response error_response(const Error& error, const log::Logger& logger);
/// The same form with a status and code that no Error has (404 and 405 of the router).
http::Response error_response(int status, std::string_view code, std::string_view message);

}  // namespace roadstead::api
