#include <benchmark/benchmark.h>
#include <fmt/format.h>

#include "model/manifest.h"

namespace roadstead::model {
namespace {

constexpr std::string_view kLayerType = "application/vnd.oci.image.layer.v1.tar+gzip";

std::string descriptor(std::string_view type, int number) {
  return fmt::format(R"({{"mediaType":"{}","digest":"{}","size":{}}})", type,
                     Digest::of(fmt::format("content {}", number)).to_string(),
                     3'000'000 + number * 4'711);
}

/// As image builders write them: ten layers, a config, a few annotations.
std::string image_of_ten_layers() {
  std::string layers;
  for (int i = 0; i < 10; ++i) {
    layers += (i > 0 ? "," : "") + descriptor(kLayerType, i);
  }
  return fmt::format(
      R"({{"schemaVersion":2,"mediaType":"{}","config":{},"layers":[{}],"annotations":{{)"
      R"("org.opencontainers.image.created":"2024-05-01T10:00:00Z",)"
      R"("org.opencontainers.image.revision":"0123456789abcdef0123456789abcdef01234567"}}}})",
      media_type::kOciManifest, descriptor(media_type::kOciConfig, 99), layers);
}

void manifest_parse(benchmark::State& state) {
  const std::string bytes = image_of_ten_layers();
  for (auto _ : state) {
    benchmark::DoNotOptimize(parse_manifest(bytes, media_type::kOciManifest).value());
  }
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(bytes.size()));
}
BENCHMARK(manifest_parse);

}  // namespace
}  // namespace roadstead::model
