#include "app/health_command.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/text.h"
#include "http/probe.h"
#include "json/json.h"
#include "sys/file.h"

namespace roadstead::app {
namespace {

/// Less than what health checks of containers wait by themselves.
constexpr std::chrono::seconds kProbeTime{4};
constexpr std::size_t kUrlsMax = 4096;
constexpr std::string_view kReady = "/readyz";
/// Of servers that have no /readyz: 200 in any case, the body tells.
constexpr std::string_view kHealth = "/api/v2.0/health";

/// The first address that the server of this data directory listens on. A wildcard is no address
/// to ask: loopback is one of those that it stands for.
Result<std::string> own_url(const Settings& settings) {
  const auto text = sys::read_file(settings.data_dir + "/run/urls", kUrlsMax);
  if (!text) {
    return Error{Code::kUnavailable,
                 Subject::kNone,
                 fmt::format("no server has started in {}", settings.data_dir),
                 {}};
  }
  std::string url(trim(split(*text, '\n').front()));
  for (const auto& [wildcard, loopback] :
       {std::pair<std::string_view, std::string_view>{"//0.0.0.0:", "//127.0.0.1:"},
        {"//[::]:", "//[::1]:"}}) {
    if (const std::size_t at = url.find(wildcard); at != std::string::npos) {
      url.replace(at, wildcard.size(), loopback);
    }
  }
  return url;
}

bool is_healthy(const http::ProbeAnswer& answer) {
  const auto document = json::Document::parse(answer.body);
  return answer.status == 200 && document &&
         document->root()["status"].as_string() == std::optional<std::string_view>("healthy");
}

}  // namespace

Result<std::string> ask_health(const Settings& settings, const std::string& url) {
  std::string base = url;
  if (base.empty()) {
    base = TRY(own_url(settings));
  }
  while (base.ends_with('/')) {
    base.pop_back();
  }
  http::ProbeAnswer answer = TRY(http::probe(base + std::string(kReady), kProbeTime));
  bool healthy = answer.status == 200;
  if (answer.status == 404) {
    answer = TRY(http::probe(base + std::string(kHealth), kProbeTime));
    healthy = is_healthy(answer);
  }
  if (!healthy) {
    return Error{Code::kUnavailable,
                 Subject::kNone,
                 fmt::format("{} cannot serve: status {}: {}", base, answer.status, answer.body),
                 {}};
  }
  return fmt::format("{} serves", base);
}

}  // namespace roadstead::app
