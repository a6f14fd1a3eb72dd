#include <string>

#include <benchmark/benchmark.h>

#include "base/check.h"
#include "http/internal/parser.h"

namespace roadstead::http {
namespace {

/// A manifest request as container engines send it, with a bearer token of the usual length.
std::string pull_request() {
  return "GET /v2/library/app/manifests/v1.2.3 HTTP/1.1\r\nHost: registry.example.com\r\n"
         "User-Agent: containerd/1.7.13\r\n"
         "Accept: application/vnd.oci.image.manifest.v1+json, "
         "application/vnd.oci.image.index.v1+json, */*\r\n"
         "Authorization: Bearer " +
         std::string(900, 'x') + "\r\nAccept-Encoding: gzip\r\n\r\n";
}

void request_head(benchmark::State& state) {
  const std::string received = pull_request();
  const HeadLimits limits;
  std::vector<HeaderField> fields;
  for (auto _ : state) {
    Head head;
    HeadParser parser;
    CHECK(parser.feed(received, limits, head, fields) == HeadParser::State::kComplete);
    benchmark::DoNotOptimize(fields.data());
  }
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(received.size()));
}
BENCHMARK(request_head);

/// The head of a request that arrives byte by byte: must not be quadratic.
void request_head_in_pieces(benchmark::State& state) {
  const std::string received = pull_request();
  const HeadLimits limits;
  std::vector<HeaderField> fields;
  for (auto _ : state) {
    Head head;
    HeadParser parser;
    for (std::size_t size = 1; size <= received.size(); ++size) {
      benchmark::DoNotOptimize(
          parser.feed(std::string_view(received).substr(0, size), limits, head, fields));
    }
  }
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(received.size()));
}
BENCHMARK(request_head_in_pieces);

}  // namespace
}  // namespace roadstead::http
