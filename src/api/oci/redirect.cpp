#include "api/oci/redirect.h"

#include <algorithm>

#include "base/text.h"

namespace roadstead::api::oci {

Result<RedirectPolicy> RedirectPolicy::make(RedirectOptions options) {
  auto networks = http::Networks::parse(options.except_networks);
  if (!networks) {
    return Error{Code::kInvalid, Subject::kConfiguration,
                 "storage.redirect_except_networks: neither an address nor a CIDR block: " +
                     networks.error().detail,
                 networks.error().detail};
  }
  RedirectPolicy policy;
  policy.networks_ = std::move(*networks);
  policy.options_ = std::move(options);
  for (std::string& agent : policy.options_.except_agents) {
    agent = to_lower(agent);
  }
  return policy;
}

bool RedirectPolicy::applies(const http::Request& request, std::uint64_t size) const {
  const bool large = options_.when == RedirectOptions::When::kLarge && size >= options_.size_min;
  if (!large && options_.when != RedirectOptions::When::kAlways) {
    return false;
  }
  const std::string agent = to_lower(request.header("user-agent").value_or(""));
  const bool cannot =
      std::any_of(options_.except_agents.begin(), options_.except_agents.end(),
                  [&](const std::string& part) { return agent.find(part) != std::string::npos; });
  return !cannot && !networks_.contains(request.client_address);
}

}  // namespace roadstead::api::oci
