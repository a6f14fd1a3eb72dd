#include <gtest/gtest.h>

#include "base/text.h"
#include "fsck/check.h"
#include "registry/collect.h"
#include "registry/testing/registry_bench.h"
#include "storage/filesystem.h"

// A store whose locations tell no digest, and into which other processes write.
namespace roadstead::fsck {
namespace {

using registry::testing::config_part;
using registry::testing::image_json;
using registry::testing::layer_part;
using registry::testing::RegistryBench;

const std::string kConfig = R"({"architecture":"amd64","os":"linux"})";
const std::string kLayer(20'000, 'l');

class SharedStoreTest : public ::testing::Test {
 protected:
  SharedStoreTest() {
    bench.add_project("p");
    bench.uploads.reset();
    bench.store = storage::make_memory_store({.shared = true, .own_locations = true});
    bench.uploads = std::make_unique<registry::Uploads>(bench.database.get(), *bench.store,
                                                        bench.locks, bench.options);
    check(true);  // The bench makes projects by their rows alone.
    bench.put_blob("p/app", kConfig);
    bench.put_blob("p/app", kLayer);
    bench.put_manifest("p/app", "v1", image_json(config_part(kConfig), {layer_part(kLayer)}));
  }

  std::string check(bool repair) {
    Check checking({bench.database.get(), *bench.store, bench.locks}, {.repair = repair});
    const Report report = checking.run(std::stop_token()).value();
    std::string kinds;
    for (const auto& [kind, total] : report.totals()) {
      kinds += kinds.empty() ? kind : " " + kind;
    }
    return kinds;
  }
  storage::Location publish(std::string_view content) {
    const auto writer = bench.store->begin(model::Algorithm::kSha256, 0).value();
    EXPECT_TRUE(writer->append(bytes_of(content)));
    return writer->commit(model::Digest::of(content)).value();
  }
  std::size_t collect() {
    return registry::remove_from_store(bench.database.get(), *bench.store, bench.locks,
                                       {.count = 10, .workers = 1})
        .value()
        .size();
  }

  RegistryBench bench;
};

TEST_F(SharedStoreTest, WhatRowsNameIsNoFinding) {
  EXPECT_EQ(check(false), "");
}

TEST_F(SharedStoreTest, AnObjectWithoutARowGoesToTheCollectorWhenNobodyCanBeAboutToNameIt) {
  const storage::Location stray = publish("nobody's");
  EXPECT_EQ(check(false), "leaked_file");
  EXPECT_EQ(check(true), "leaked_file");
  EXPECT_EQ(check(false), "") << "it is in the queue";
  EXPECT_EQ(collect(), 0U);
  EXPECT_TRUE(bench.store->stat(stray)) << "not yet";
  bench.clock.advance(std::chrono::minutes(61));
  EXPECT_EQ(collect(), 1U);
  EXPECT_FALSE(bench.store->stat(stray));
}

TEST_F(SharedStoreTest, AnObjectThatIsNamedMeanwhileStays) {
  const std::string content(30'000, 'n');
  const storage::Location late = publish(content);
  EXPECT_EQ(check(true), "leaked_file");
  // Another process was between publishing and naming.
  bench.execute("INSERT INTO blob (digest, size, location, creation_time) VALUES (?, ?, ?, 1)",
                {model::Digest::of(content).to_string(), std::int64_t{30'000}, late.value});
  bench.clock.advance(std::chrono::minutes(61));
  collect();
  EXPECT_TRUE(bench.store->stat(late));
}

TEST_F(SharedStoreTest, AnObjectThatAManifestNeedsGetsItsRowBack) {
  const std::int64_t id =
      bench.number("SELECT id FROM blob WHERE digest = ?", {model::Digest::of(kLayer).to_string()});
  for (const std::string table : {"artifact_blob", "project_blob", "repository_blob"}) {
    bench.execute("DELETE FROM " + table + " WHERE blob_id = ?", {id});
  }
  bench.execute("DELETE FROM blob WHERE id = ?", {id});
  EXPECT_EQ(check(true), "blob_row_missing edge_missing");
  EXPECT_EQ(bench.number("SELECT COUNT(*) FROM blob WHERE digest = ?",
                         {model::Digest::of(kLayer).to_string()}),
            1);
}

}  // namespace
}  // namespace roadstead::fsck
