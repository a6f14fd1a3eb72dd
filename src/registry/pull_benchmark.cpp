#include <benchmark/benchmark.h>
#include <fmt/format.h>

#include "base/check.h"
#include "registry/pull.h"
#include "registry/testing/registry_bench.h"

namespace roadstead::registry {
namespace {

using testing::RegistryBench;

constexpr int kTags = 100'000;
constexpr int kTagsPerWrite = 1'000;

std::string tag_name(int number) {
  return fmt::format("t{:07}", number);
}

/// One artifact under kTags tags; rows as a push writes them.
void add_tags(RegistryBench& bench, const std::string& name) {
  const RepositoryId repository = bench.repository_id(name);
  const std::int64_t artifact = bench.number("SELECT artifact_id FROM tag LIMIT 1");
  for (int first = 0; first < kTags; first += kTagsPerWrite) {
    const auto written = bench.database->write([&](db::WriteSession& session) -> Result<void> {
      for (int i = first; i < first + kTagsPerWrite; ++i) {
        TRY(session.execute(
            "INSERT INTO tag (repository_id, name, artifact_id, push_time) VALUES (?, ?, ?, ?)",
            {repository, tag_name(i), artifact, session.now()}));
      }
      return {};
    });
    CHECK(written);
  }
}

/// What a pull by tag asks the database: permission, repository, tag, artifact and bytes, in a
/// session of its own.
void tag_lookup(benchmark::State& state) {
  RegistryBench bench;
  bench.add_project("p");
  bench.put_image("p/app", "latest", "seed");
  add_tags(bench, "p/app");
  const auth::Principal who = bench.person(bench.admin);
  const Caller caller = RegistryBench::pull(who);
  const auto repository = testing::repository("p/app");
  int number = 0;
  for (auto _ : state) {
    const model::Reference reference(testing::tag(tag_name(number)));
    number = (number + 7'919) % kTags;
    const auto found = bench.database->read([&](db::ReadSession& session) {
      return find_manifest(session, caller, repository, reference, {});
    });
    benchmark::DoNotOptimize(found.value());
  }
}
BENCHMARK(tag_lookup);

/// The same for a user who is a member: the role is one more row.
void tag_lookup_by_member(benchmark::State& state) {
  RegistryBench bench;
  const ProjectId project = bench.add_project("p");
  bench.put_image("p/app", "latest", "seed");
  const UserId user = bench.add_user("alice");
  bench.add_member(project, user, auth::Role::kGuest);
  const auth::Principal who = bench.person(user);
  const Caller caller = RegistryBench::pull(who);
  const auto repository = testing::repository("p/app");
  const model::Reference reference(testing::tag("latest"));
  for (auto _ : state) {
    const auto found = bench.database->read([&](db::ReadSession& session) {
      return find_manifest(session, caller, repository, reference, {});
    });
    benchmark::DoNotOptimize(found.value());
  }
}
BENCHMARK(tag_lookup_by_member);

}  // namespace
}  // namespace roadstead::registry
