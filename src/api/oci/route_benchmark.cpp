#include <array>

#include <benchmark/benchmark.h>

#include "api/oci/route.h"

namespace roadstead::api::oci {
namespace {

/// Paths of a pull and a push, deep and shallow.
void route_oci(benchmark::State& state) {
  constexpr std::array<std::string_view, 5> kPaths{
      "/v2/", "/v2/library/app/manifests/v1.2.3",
      "/v2/team/group/subgroup/app/blobs/"
      "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
      "/v2/library/app/blobs/uploads/0123456789abcdef0123456789abcdef",
      "/v2/library/app/tags/list"};
  for (auto _ : state) {
    for (const std::string_view path : kPaths) {
      benchmark::DoNotOptimize(parse_path(path));
    }
  }
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(kPaths.size()));
}
BENCHMARK(route_oci);

}  // namespace
}  // namespace roadstead::api::oci
