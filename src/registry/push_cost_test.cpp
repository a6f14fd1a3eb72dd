#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

#include "registry/testing/registry_bench.h"

/// What pushes ask of a database server. Each round trip is time that a client waits, so that one
/// more needs a reason: raise these numbers only with it.

namespace roadstead::registry {
namespace {

using testing::RegistryBench;

struct Cost {
  std::uint64_t statements = 0;
  std::uint64_t round_trips = 0;  ///< 0 on the embedded engine.
};

/// What is sent together is answered together, but where the client library sends one by one.
void expect_at_most(const Cost& cost, const Cost& most) {
  EXPECT_LE(cost.statements, most.statements);
  const char* const engine = std::getenv("ROADSTEAD_TEST_DATABASE");
  const bool one_by_one = engine != nullptr && std::string_view(engine) == "mariadb";
  EXPECT_LE(cost.round_trips, one_by_one ? cost.statements : most.round_trips);
}

class PushCostTest : public ::testing::Test {
 protected:
  void SetUp() override {
    bench.add_project("p");
    // What is first, or prepared first, costs more.
    for (const char* seed : {"first", "second"}) {
      bench.put_image("p/r", seed, seed);
      push_in_chunks(seed);
      push_at_once(seed);
    }
  }
  template <typename F>
  Cost cost_of(F&& push) {
    const db::Statistics before = bench.database->statistics();
    push();
    const db::Statistics after = bench.database->statistics();
    return {after.statements - before.statements, after.round_trips - before.round_trips};
  }
  /// POST with all of it.
  void push_at_once(const std::string& content) {
    const auth::Principal admin = bench.person(bench.admin);
    const auto upload =
        bench.uploads->open_single(RegistryBench::push(admin), testing::repository("p/r"),
                                   model::Algorithm::kSha256, content.size());
    ASSERT_TRUE(upload) << describe(upload.error());
    ASSERT_TRUE((*upload)->write(std::as_bytes(std::span(content))));
    ASSERT_TRUE((*upload)->commit(model::Digest::of(content)));
  }
  /// POST, PATCH, PUT.
  void push_in_chunks(const std::string& content) {
    const auth::Principal admin = bench.person(bench.admin);
    const Caller caller = RegistryBench::push(admin);
    const auto name = testing::repository("p/r");
    const std::string bytes = content + std::string(100'000, 'x');
    const auto begun = bench.uploads->start(caller, name, model::Algorithm::kSha256);
    ASSERT_TRUE(begun) << describe(begun.error());
    const auto patch = bench.uploads->open(caller, name, begun->id, {0, bytes.size(), false});
    ASSERT_TRUE(patch) << describe(patch.error());
    ASSERT_TRUE((*patch)->write(std::as_bytes(std::span(bytes))));
    ASSERT_TRUE((*patch)->checkpoint());
    const auto put = bench.uploads->open(caller, name, begun->id, {std::nullopt, 0, true});
    ASSERT_TRUE(put) << describe(put.error());
    ASSERT_TRUE((*put)->commit(model::Digest::of(bytes)));
  }

  RegistryBench bench;
};

TEST_F(PushCostTest, ABlobInOneRequest) {
  expect_at_most(cost_of([&] { push_at_once("content"); }), {12, 4});
}

TEST_F(PushCostTest, ABlobInTwoRequests) {
  expect_at_most(cost_of([&] { bench.put_blob("p/r", "content"); }), {13, 5});
}

TEST_F(PushCostTest, ABlobInChunks) {
  expect_at_most(cost_of([&] { push_in_chunks("content"); }), {23, 12});
}

TEST_F(PushCostTest, AManifestOfTenLayers) {
  bench.put_blob("p/r", "config");
  std::vector<testing::Part> layers;
  for (int i = 0; i < 10; ++i) {
    const std::string content = "layer " + std::to_string(i);
    bench.put_blob("p/r", content);
    layers.push_back(testing::layer_part(content));
  }
  const std::string manifest = testing::image_json(testing::config_part("config"), layers);
  expect_at_most(cost_of([&] { bench.put_manifest("p/r", "tag", manifest); }), {24, 14});
}

}  // namespace
}  // namespace roadstead::registry
