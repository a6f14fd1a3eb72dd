#include "http/endpoint.h"

#include <utility>

#include "base/check.h"

namespace roadstead::http {

std::optional<Response> Endpoint::try_now(const Request& /*request*/, Context& /*context*/) {
  return std::nullopt;
}

Response Endpoint::handle(const Request& request, Context& context) {
  std::optional<Response> response = try_now(request, context);
  CHECK(response.has_value());  // An endpoint implements handle() or always answers in place.
  return std::move(*response);
}

// Reached only when an endpoint declares itself streamed and does not implement that.
std::variant<Response, std::unique_ptr<BodySink>> Endpoint::open(const Request& /*request*/,
                                                                 Context& /*context*/) {
  CHECK(!"Endpoint::open is not implemented");
  return Response(500);
}

}  // namespace roadstead::http
