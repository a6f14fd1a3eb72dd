#include "report.h"

#include <algorithm>
#include <utility>
#include <vector>

#include <fmt/format.h>

namespace roadstead::bench {
namespace {

double percentile(const std::vector<float>& sorted, double share) {
  if (sorted.empty()) {
    return 0;
  }
  const auto rank = static_cast<size_t>(share * static_cast<double>(sorted.size()));
  return static_cast<double>(sorted[std::min(rank, sorted.size() - 1)]);
}

constexpr double kSlice = 0.1;
constexpr std::size_t kSlicesMax = 10'000;

/// What ended in each tenth of a second since the run began: [how many, the worst latency in ms].
std::string slices_of(const RunStats& run) {
  std::vector<std::pair<int, float>> slices(
      std::min(kSlicesMax, static_cast<std::size_t>(run.seconds / kSlice) + 1));
  for (std::size_t i = 0; i < run.ended.size(); ++i) {
    const auto at = static_cast<std::size_t>(static_cast<double>(run.ended[i]) / kSlice);
    auto& [count, worst] = slices[std::min(at, slices.size() - 1)];
    ++count;
    worst = std::max(worst, run.latency_ms[i]);
  }
  std::string text;
  for (const auto& [count, worst] : slices) {
    text += fmt::format("{}[{},{:.3f}]", text.empty() ? "" : ",", count, worst);
  }
  return text;
}

std::string json_text(const std::string& text) {
  std::string quoted = "\"";
  for (const char c : text) {
    const bool plain = static_cast<unsigned char>(c) >= 32 && c != '"' && c != '\\';
    quoted += plain ? c : '?';
  }
  return quoted + "\"";
}

}  // namespace

void print_report(const std::string& verb, const Measured& measured, uint64_t bytes) {
  const auto& run = measured.run;
  auto latency = run.latency_ms;
  std::sort(latency.begin(), latency.end());
  const auto operations = static_cast<double>(std::max<uint64_t>(run.operations, 1));
  const double mib = static_cast<double>(bytes) / (1 << 20);
  const double cpu = measured.after.cpu_seconds - measured.before.cpu_seconds;
  const double user = measured.after.user_seconds - measured.before.user_seconds;
  const double system = measured.after.system_seconds - measured.before.system_seconds;
  std::string line =
      fmt::format(R"({{"verb":{},"operations":{},"errors":{},"unfinished":{},"seconds":{:.4f},)"
                  R"("per_second":{:.1f},"mib":{:.3f},"mib_per_second":{:.2f},)",
                  json_text(verb), run.operations, run.errors, run.unfinished, run.seconds,
                  static_cast<double>(run.operations) / run.seconds, mib, mib / run.seconds);
  line += fmt::format(R"("p50_ms":{:.3f},"p90_ms":{:.3f},"p99_ms":{:.3f},"max_ms":{:.3f},)",
                      percentile(latency, 0.5), percentile(latency, 0.9), percentile(latency, 0.99),
                      percentile(latency, 1));
  line += fmt::format(
      R"("cpu_s":{:.6f},"cpu_user_s":{:.2f},"cpu_system_s":{:.2f},"cpu_us_per_op":{:.3f},)"
      R"("cpu_ms_per_mib":{:.4f},"client_cpu_s":{:.4f},)",
      cpu, user, system, cpu * 1e6 / operations, mib > 0 ? cpu * 1000 / mib : 0.0,
      measured.client_cpu);
  line += fmt::format(R"("rss_before_kib":{},"rss_after_kib":{},"rss_peak_kib":{},"threads":{},)",
                      measured.before.rss_kib, measured.after.rss_kib, measured.after.peak_kib,
                      measured.after.threads);
  auto refusals = run.refusal_ms;
  std::sort(refusals.begin(), refusals.end());
  line += fmt::format(
      R"("refused":{},"missed":{},"refusal_p50_ms":{:.3f},"refusal_p99_ms":{:.3f},"began":{:.4f},)",
      run.refused, run.missed, percentile(refusals, 0.5), percentile(refusals, 0.99), run.began);
  if (measured.with_slices) {
    line += fmt::format(R"("slices":[{}],)", slices_of(run));
  }
  line += fmt::format(
      R"("reconnects":{},"closed_while_held":{},"open_connections":{},"first_error":{}}})",
      run.reconnects, measured.closed_while_held, measured.open_connections,
      json_text(run.first_error));
  fmt::print("{}\n", line);
}

}  // namespace roadstead::bench
