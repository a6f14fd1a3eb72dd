#include <fcntl.h>
#include <unistd.h>

#include <benchmark/benchmark.h>

#include "app/observer.h"
#include "base/check.h"
#include "base/clock.h"

namespace roadstead::app {
namespace {

/// What every finished request pays: counters, a histogram and, with state.range(0), its line of
/// the access log.
void access_log_line(benchmark::State& state) {
  const int nowhere = ::open("/dev/null", O_WRONLY | O_CLOEXEC);
  CHECK(nowhere >= 0);
  {
    metrics::Registry metrics;
    const SystemClock clock;
    log::Sink sink(nowhere, log::Format::kText, log::Level::kInfo, clock);
    RequestObserver observer(metrics, log::Logger(sink), state.range(0) != 0);
    const http::Completed request{.request_id = "0123456789abcdef",
                                  .client_address = "192.0.2.17",
                                  .method = "GET",
                                  .target = "/v2/library/app/manifests/v1.2.3",
                                  .endpoint = "GET /v2/<name>/manifests/<reference>",
                                  .user_agent = "containerd/1.7.13",
                                  .identity = "user:alice",
                                  .status = 200,
                                  .bytes_in = 0,
                                  .bytes_out = 912,
                                  .duration = std::chrono::microseconds(87)};
    for (auto _ : state) {
      observer.completed(request);
    }
  }
  ::close(nowhere);
}
BENCHMARK(access_log_line)->ArgName("log")->Arg(0)->Arg(1);

}  // namespace
}  // namespace roadstead::app
