#include "backup/export.h"

#include <gtest/gtest.h>

#include "base/text.h"
#include "registry/blob_content.h"
#include "registry/testing/registry_bench.h"
#include "sys/file.h"
#include "sys/testing/scratch_directory.h"

namespace roadstead::backup {
namespace {

using registry::testing::RegistryBench;
namespace fs = std::filesystem;

class ExportTest : public ::testing::Test {
 protected:
  ExportTest() : source(bench.database.get()) {
    project = bench.add_project("p");
    options.directory = scratch.path() / "export";
  }
  ExportReport run() {
    auto report = export_distribution(source, *bench.store, options, bench.clock);
    EXPECT_TRUE(report) << describe(report.error());
    return std::move(*report);
  }
  std::string text(const std::string& path) {
    return sys::read_file(options.directory / "docker/registry/v2" / path, 1U << 20U).value();
  }
  bool there(const std::string& path) {
    return sys::exists(options.directory / "docker/registry/v2" / path).value();
  }
  static std::string data(std::string_view content) {
    const auto digest = model::Digest::of(content);
    return "blobs/sha256/" + std::string(digest.hex().substr(0, 2)) + "/" +
           std::string(digest.hex()) + "/data";
  }

  RegistryBench bench;
  sys::testing::ScratchDirectory scratch;
  DatabaseSource source;
  ExportOptions options;
  ProjectId project;
};

TEST_F(ExportTest, WritesTheTreeOfDistribution) {
  bench.put_blob("p/group/app", "config");
  bench.put_blob("p/group/app", "layer");
  const std::string manifest = registry::testing::image_json(
      registry::testing::config_part("config"), {registry::testing::layer_part("layer")});
  const auto digest = bench.put_manifest("p/group/app", "v1", manifest);
  const ExportReport report = run();
  EXPECT_EQ(report.repositories, 1);
  EXPECT_EQ(report.manifests, 1);
  EXPECT_EQ(report.tags, 1);
  EXPECT_EQ(report.blobs, 2);
  EXPECT_EQ(text(data("layer")), "layer");
  EXPECT_EQ(text(data(manifest)), manifest);
  const std::string repository = "repositories/p/group/app/";
  const std::string hex(digest.hex());
  const std::string layer(model::Digest::of("layer").hex());
  EXPECT_EQ(text(repository + "_layers/sha256/" + layer + "/link"), "sha256:" + layer);
  EXPECT_EQ(text(repository + "_manifests/revisions/sha256/" + hex + "/link"), "sha256:" + hex);
  EXPECT_EQ(text(repository + "_manifests/tags/v1/current/link"), "sha256:" + hex);
  EXPECT_EQ(text(repository + "_manifests/tags/v1/index/sha256/" + hex + "/link"), "sha256:" + hex);
  EXPECT_FALSE(sys::exists(options.directory / ".roadstead-export.db").value());
}

TEST_F(ExportTest, RunAgainItGoesOnAndFollowsTags) {
  const auto first = bench.put_image("p/app", "v1", "one");
  bench.put_image("p/app", "gone", "two");
  EXPECT_EQ(run().copied, 4);
  EXPECT_EQ(run().copied, 0);
  // As if it had been cut off: a link half written, a blob missing.
  const fs::path current =
      options.directory / "docker/registry/v2/repositories/p/app/_manifests/tags/v1/current/link";
  ASSERT_TRUE(sys::File::open(current, sys::File::Mode::kReadWrite).value().truncate(10));
  bench.execute("DELETE FROM tag WHERE name = 'gone'");
  EXPECT_EQ(run().copied, 0);
  EXPECT_EQ(sys::read_file(current, 200).value(), first.to_string());
  EXPECT_FALSE(there("repositories/p/app/_manifests/tags/gone"));
}

TEST_F(ExportTest, ContentThatIsLostIsReported) {
  bench.put_blob("p/app", std::string(registry::kInlineMax + 1, 'x'));
  bench.execute("UPDATE blob SET size = size + 1 WHERE id = (SELECT MIN(id) FROM blob)");
  EXPECT_EQ(run().problem_count, 1);
}

}  // namespace
}  // namespace roadstead::backup
