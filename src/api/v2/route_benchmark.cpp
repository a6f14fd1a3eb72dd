#include <array>

#include <benchmark/benchmark.h>

#include "api/v2/testing/rest_backend.h"
#include "base/check.h"

namespace roadstead::api {
namespace {

/// The whole table of operations, asked for short and long paths.
void route_rest(benchmark::State& state) {
  const testing::RestBackend backend;
  constexpr std::array<std::string_view, 4> kPaths{
      "/api/v2.0/ping", "/api/v2.0/projects", "/api/v2.0/projects/library/repositories",
      "/api/v2.0/projects/library/repositories/app/artifacts/v1.2.3"};
  http::Request request;
  for (auto _ : state) {
    for (const std::string_view path : kPaths) {
      http::RouteParameters parameters;
      request.path = path;
      CHECK(backend.router.find(request, parameters) != nullptr);
    }
  }
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(kPaths.size()));
}
BENCHMARK(route_rest);

}  // namespace
}  // namespace roadstead::api
