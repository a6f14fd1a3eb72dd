// bench_load: the load driver of ./x bench. One verb a run, one line of JSON on standard output.
// Exit codes: 0 all operations right, 2 the command line is wrong, 3 at least one operation failed.
#include <algorithm>
#include <fstream>
#include <iterator>
#include <random>

#include <fmt/format.h>
#include <time.h>

#include "base/text.h"
#include "engine.h"
#include "fetch.h"
#include "options.h"
#include "process_stats.h"
#include "push.h"
#include "report.h"

namespace roadstead::bench {
namespace {

constexpr const char* kHelp = R"(bench_load VERB --url http://127.0.0.1:PORT [--name value …]
  get | head      --path P[,P…] [--length BYTES] [--digest sha256:…] [--every-digest 1]
                  [--range A-B] [--status CODE] [--accept TYPE] [--varies 1]
  manifest        the same with the Accept field of an OCI manifest
  push            --repo R --size BYTES --mode post|mono|patch|chunk [--chunk BYTES] [--check N]
  tagsfill        --repo R --manifest FILE
  slowget         --path P --rate BYTES_PER_SECOND --seconds S   many slow readers
  idle            --path P --hold SECONDS                       open connections that do nothing
  ready           [--seconds S]                                  waits for the first answer
  get | head | manifest | push also take
                  [--pace PER_SECOND] operations begin at that rate, whatever becomes of them
                  [--refusals 1] 503 with Retry-After is counted and is no error
  all             [--count N] [--connections N] [--warmup N] [--seconds MAX] [--pids PID,…]
                  [--bearer TOKEN] [--basic USER:PASSWORD] [--ca FILE] [--rate B] [--slow-every N]
                  [--from 127.x.y.z]
)";

const std::vector<std::string> kKnown{
    "url",    "path",   "length", "digest",   "every-digest", "range",       "repo",       "size",
    "mode",   "chunk",  "check",  "manifest", "rate",         "seconds",     "hold",       "count",
    "pids",   "bearer", "basic",  "ca",       "warmup",       "connections", "slow-every", "status",
    "accept", "varies", "pace",   "refusals", "from"};

std::string random_salt() {
  std::random_device device;
  return std::to_string(device()) + std::to_string(device());
}

std::string header_fields(const Options& options) {
  std::string fields;
  if (options.has("bearer")) {
    fields += "Authorization: Bearer " + options.text("bearer") + "\r\n";
  } else if (options.has("basic")) {
    fields += "Authorization: Basic " + to_base64(bytes_of(options.text("basic"))) + "\r\n";
  }
  if (options.verb() == "manifest") {
    fields += "Accept: application/vnd.oci.image.manifest.v1+json\r\n";
  } else if (options.has("accept")) {
    fields += "Accept: " + options.text("accept") + "\r\n";
  }
  if (options.has("range")) {
    fields += "Range: bytes=" + options.text("range") + "\r\n";
  }
  return fields;
}

FetchOptions fetch_options(const Options& options, const std::string& host) {
  FetchOptions fetch;
  fetch.host = host;
  fetch.paths = options.list("path");
  if (fetch.paths.empty()) {
    usage_error("--path is missing");
  }
  fetch.method = options.verb() == "head" ? "HEAD" : "GET";
  fetch.fields = header_fields(options);
  const uint64_t usual = options.has("range") ? 206 : 200;
  fetch.status = static_cast<int>(options.number("status", usual, 599));
  if (options.has("length")) {
    fetch.length = static_cast<int64_t>(options.number("length", 0, uint64_t{1} << 40));
  }
  fetch.digest = options.text("digest");
  fetch.every_digest = options.has("every-digest");
  fetch.varies = options.has("varies");
  return fetch;
}

PushOptions push_options(const Options& options, const std::string& host) {
  PushOptions push;
  push.host = host;
  push.repository = options.text("repo", "bench/push");
  push.fields = header_fields(options);
  push.salt = random_salt();
  push.size = options.number("size", push.size, uint64_t{1} << 40);
  push.chunk_size = options.number("chunk", push.chunk_size, uint64_t{1} << 40);
  const std::map<std::string, PushMode> modes{{"post", PushMode::kPost},
                                              {"mono", PushMode::kMono},
                                              {"patch", PushMode::kPatch},
                                              {"chunk", PushMode::kChunk}};
  const auto mode = modes.find(options.text("mode", "mono"));
  if (mode == modes.end() || push.size == 0 || push.chunk_size == 0) {
    usage_error("--mode is post, mono, patch or chunk; sizes are above 0");
  }
  push.mode = mode->second;
  return push;
}

TagsOptions tags_options(const Options& options, const std::string& host) {
  TagsOptions tags;
  tags.host = host;
  tags.repository = options.text("repo", "bench/tags");
  tags.fields = header_fields(options);
  std::ifstream file(options.text("manifest"));
  tags.manifest.assign(std::istreambuf_iterator<char>(file), {});
  if (tags.manifest.empty()) {
    usage_error("--manifest must name a file");
  }
  return tags;
}

std::vector<pid_t> server_pids(const Options& options) {
  std::vector<pid_t> roots;
  for (const auto& text : options.list("pids")) {
    roots.push_back(static_cast<pid_t>(parse_uint64(text).value_or(0)));
  }
  return process_tree(roots);
}

Measured measure(Engine& engine, const Options& options, uint64_t count) {
  const uint64_t warmup = options.number("warmup", 0, 1'000'000);
  const auto tree = server_pids(options);
  Measured result;
  result.with_slices = options.has("pace");
  if (warmup > 0) {
    const RunStats warm = engine.run(count, warmup);
    if (warm.errors > 0) {
      result.run = warm;
      return result;
    }
  }
  reset_peaks(tree);
  result.before = read_stats(tree);
  const double own = own_cpu_seconds();
  result.run = engine.run(0, count);
  result.client_cpu = own_cpu_seconds() - own;
  if (options.has("hold")) {
    result.closed_while_held = engine.hold(options.seconds("hold", 1));
  }
  result.open_connections = engine.open_connections();
  result.after = read_stats(server_pids(options));
  return result;
}

/// Reads back `count` of the blobs just pushed, spread over the run, and hashes them.
void check_pushed(const EngineOptions& engine_options, const PushWorkload& push, uint64_t pushed,
                  uint64_t count, RunStats& into) {
  for (uint64_t i = 0; i < count && pushed > 0; ++i) {
    const uint64_t operation = i * (pushed - 1) / std::max<uint64_t>(count - 1, 1);
    FetchOptions fetch;
    fetch.host = push.options().host;
    fetch.fields = push.options().fields;
    fetch.digest = push.digest_of(operation);
    fetch.length = static_cast<int64_t>(push.options().size);
    fetch.paths = {"/v2/" + push.options().repository + "/blobs/" + fetch.digest};
    FetchWorkload workload(fetch);
    EngineOptions one = engine_options;
    one.connections = 1;
    one.rate = 0;
    Engine engine(one, workload);
    const RunStats read = engine.run(0, 1);
    if (read.operations != 1) {
      ++into.errors;
      into.first_error = "read back: " + read.first_error;
    }
  }
}

int run_push(const Options& options, const EngineOptions& engine_options, uint64_t count) {
  PushWorkload push(push_options(options, engine_options.target.host));
  Measured measured;
  {
    Engine engine(engine_options, push);
    measured = measure(engine, options, count);
  }
  check_pushed(engine_options, push, measured.run.operations, options.number("check", 0, 1000),
               measured.run);
  print_report(options.verb(), measured, measured.run.payload_bytes);
  return measured.run.errors > 0 || measured.run.operations == 0 ? 3 : 0;
}

int run_fetch(const Options& options, EngineOptions engine_options, uint64_t count) {
  const bool slow = options.verb() == "slowget";
  const bool idle = options.verb() == "idle";
  engine_options.one_operation_each = slow || idle;
  if (slow || idle) {
    count = static_cast<uint64_t>(engine_options.connections);
  }
  FetchWorkload fetch(fetch_options(options, engine_options.target.host));
  Engine engine(engine_options, fetch);
  Measured measured = measure(engine, options, count);
  // Slow readers are not meant to finish: what counts is that every one of them is being served.
  const uint64_t served = measured.run.operations + (slow ? measured.run.unfinished : 0);
  if (measured.run.errors == 0 && served < ((slow || idle) ? count : 1)) {
    ++measured.run.errors;
    measured.run.first_error = "not every connection was served";
  }
  if (measured.closed_while_held > 0) {
    ++measured.run.errors;
    measured.run.first_error = "the server closed idle connections";
  }
  print_report(options.verb(), measured,
               slow ? measured.run.received_bytes : measured.run.payload_bytes);
  return measured.run.errors > 0 ? 3 : 0;
}

int run_tags(const Options& options, const EngineOptions& engine_options, uint64_t count) {
  TagsWorkload tags(tags_options(options, engine_options.target.host));
  Engine engine(engine_options, tags);
  const Measured measured = measure(engine, options, count);
  print_report(options.verb(), measured, measured.run.payload_bytes);
  return measured.run.errors > 0 || measured.run.operations < count ? 3 : 0;
}

/// Polls /v2/ until it answers 200 or 401; prints how long that took.
int run_ready(const Options& options, EngineOptions engine_options) {
  FetchOptions fetch;
  fetch.host = engine_options.target.host;
  fetch.paths = {"/v2/"};
  const double limit = options.seconds("seconds", 30);
  engine_options.seconds_max = 2;
  timespec begin{};
  clock_gettime(CLOCK_MONOTONIC, &begin);
  for (double waited = 0; waited < limit;) {
    for (const int status : {200, 401}) {
      fetch.status = status;
      FetchWorkload workload(fetch);
      Engine engine(engine_options, workload);
      const RunStats run = engine.run(0, 1);
      timespec now{};
      clock_gettime(CLOCK_MONOTONIC, &now);
      waited = static_cast<double>(now.tv_sec - begin.tv_sec) +
               static_cast<double>(now.tv_nsec - begin.tv_nsec) / 1e9;
      if (run.operations == 1) {
        fmt::print("{{\"verb\":\"ready\",\"ms\":{:.2f}}}\n", waited * 1000);
        return 0;
      }
    }
    const timespec pause{0, 500'000};
    nanosleep(&pause, nullptr);
  }
  return 3;
}

int run(int argc, char** argv) {
  if (argc < 2 || std::string(argv[1]) == "--help") {
    fmt::print(stderr, "{}", kHelp);
    return 2;
  }
  const Options options(argc, argv, kKnown);
  EngineOptions engine_options;
  std::string why;
  if (!parse_target(options.text("url"), engine_options.target, why)) {
    usage_error(why);
  }
  if (options.has("from") && !parse_source(options.text("from"), engine_options.target)) {
    usage_error("--from must be an address 127.x.y.z");
  }
  std::unique_ptr<TlsClient> tls;
  if (engine_options.target.tls) {
    tls = TlsClient::open(options.text("ca"));
    if (tls == nullptr) {
      usage_error("https needs --ca with a readable certificate file");
    }
  }
  engine_options.tls = tls.get();
  engine_options.connections =
      static_cast<int>(options.number("connections", 1, Engine::kConnectionsMax));
  engine_options.seconds_max = options.seconds("seconds", 300);
  engine_options.rate = options.number("rate", 0, uint64_t{1} << 30);
  engine_options.slow_every = static_cast<int>(options.number("slow-every", 1, 1'000'000));
  engine_options.pace = static_cast<double>(options.number("pace", 0, 1'000'000));
  engine_options.refusals = options.number("refusals", 0, 1) != 0;
  const uint64_t count = options.number("count", 100, 20'000'000);
  const std::string& verb = options.verb();
  if (verb == "push") {
    return run_push(options, engine_options, count);
  }
  if (verb == "tagsfill") {
    return run_tags(options, engine_options, count);
  }
  if (verb == "ready") {
    return run_ready(options, engine_options);
  }
  const std::vector<std::string> fetches{"get", "head", "manifest", "slowget", "idle"};
  if (std::find(fetches.begin(), fetches.end(), verb) == fetches.end()) {
    usage_error("unknown verb " + verb);
  }
  return run_fetch(options, engine_options, count);
}

}  // namespace
}  // namespace roadstead::bench

int main(int argc, char** argv) {
  return roadstead::bench::run(argc, argv);
}
