#include <vector>

#include <benchmark/benchmark.h>

#include "crypto/hasher.h"

namespace roadstead::crypto {
namespace {

/// What an upload costs per buffer; the midstate is not part of it.
void sha256(benchmark::State& state) {
  const std::vector<std::byte> buffer(static_cast<std::size_t>(state.range(0)), std::byte{0x5a});
  Hasher hasher(HashAlgorithm::kSha256);
  for (auto _ : state) {
    hasher.update(buffer);
    benchmark::ClobberMemory();
  }
  benchmark::DoNotOptimize(hasher.hex_digest());
  state.SetBytesProcessed(state.iterations() * state.range(0));
}
BENCHMARK(sha256)->Arg(64 << 10)->Arg(1 << 20);

/// What a PATCH pays besides its bytes: once, at its end.
void save_and_resume(benchmark::State& state) {
  Hasher hasher(HashAlgorithm::kSha256);
  hasher.update(std::vector<std::byte>(100, std::byte{1}));
  for (auto _ : state) {
    benchmark::DoNotOptimize(Hasher::resume(hasher.save()).value());
  }
}
BENCHMARK(save_and_resume);

}  // namespace
}  // namespace roadstead::crypto
