#include <vector>

#include <benchmark/benchmark.h>
#include <fmt/format.h>

#include "api/v2/internal/artifact_json.h"

namespace roadstead::api::internal {
namespace {

registry::ArtifactRow artifact(int number) {
  const Time time = from_micros(1'700'000'000'000'000 + number);
  registry::ArtifactRow row;
  row.id = ArtifactId{number};
  row.repository = RepositoryId{3};
  row.project = ProjectId{2};
  row.digest = model::Digest::of(fmt::format("content {}", number)).to_string();
  row.manifest_media_type = "application/vnd.oci.image.manifest.v1+json";
  row.media_type = "application/vnd.oci.image.config.v1+json";
  row.type = "IMAGE";
  row.extra_attributes =
      R"({"architecture":"amd64","author":"","os":"linux","config":{"Cmd":["/bin/sh"],)"
      R"("Env":["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"]}})";
  row.size = 31'337'000 + number;
  row.push_time = time;
  row.pull_time = time;
  row.tags = {{number * 2, fmt::format("v1.{}", number), time, time},
              {number * 2 + 1, "latest", time, {}}};
  return row;
}

/// The body of a page of ten artifacts with their tags, from rows that were read.
void artifact_list_json(benchmark::State& state) {
  std::vector<registry::ArtifactRow> rows;
  for (int i = 1; i <= 10; ++i) {
    rows.push_back(artifact(i));
  }
  std::size_t size = 0;
  for (auto _ : state) {
    json::Writer w;
    w.begin_array();
    for (const registry::ArtifactRow& row : rows) {
      write_artifact(w, row, "library/app", true);
    }
    w.end_array();
    const std::string text = w.take();
    benchmark::DoNotOptimize(text.data());
    size = text.size();
  }
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(size));
}
BENCHMARK(artifact_list_json);

}  // namespace
}  // namespace roadstead::api::internal
