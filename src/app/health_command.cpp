#include "app/health_command.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/text.h"
#include "http/probe.h"
#include "sys/file.h"

namespace roadstead::app {
namespace {

/// Less than what health checks of containers wait by themselves.
constexpr std::chrono::seconds kProbeTime{4};
constexpr std::size_t kUrlsMax = 4096;
constexpr std::string_view kReady = "/readyz";

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

}  // namespace

Result<std::string> ask_health(const Settings& settings, const std::string& url) {
  std::string base = url;
  if (base.empty()) {
    base = TRY(own_url(settings));
  }
  while (base.ends_with('/')) {
    base.pop_back();
  }
  const http::ProbeAnswer answer = TRY(http::probe(base + std::string(kReady), kProbeTime));
  if (answer.status != 200) {
    return Error{Code::kUnavailable,
                 Subject::kNone,
                 fmt::format("{} cannot serve: status {}: {}", base, answer.status, answer.body),
                 {}};
  }
  return fmt::format("{} serves", base);
}

}  // namespace roadstead::app
