#include <benchmark/benchmark.h>

#include "model/digest.h"

namespace roadstead::model {
namespace {

void digest_parse(benchmark::State& state) {
  const std::string text = Digest::of("content").to_string();
  for (auto _ : state) {
    benchmark::DoNotOptimize(Digest::parse(text).value());
  }
}
BENCHMARK(digest_parse);

/// As every pull of a manifest by tag would without the digest that lies beside it.
void digest_of_1_kib(benchmark::State& state) {
  const std::string content(1024, 'x');
  for (auto _ : state) {
    benchmark::DoNotOptimize(Digest::of(content));
  }
}
BENCHMARK(digest_of_1_kib);

}  // namespace
}  // namespace roadstead::model
