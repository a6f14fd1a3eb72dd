#include "api/oci/redirect.h"

#include <array>

#include <gtest/gtest.h>

namespace roadstead::api::oci {
namespace {

using When = RedirectOptions::When;

struct Client {
  std::string_view agent;
  std::string_view address = "192.0.2.1";

  [[nodiscard]] bool is_sent_away(const RedirectPolicy& policy, std::uint64_t size) const {
    const std::array headers{http::HeaderField{"User-Agent", agent}};
    http::Request request;
    request.headers = headers;
    request.client_address = address;
    return policy.applies(request, size);
  }
};

RedirectPolicy policy_of(RedirectOptions options) {
  return RedirectPolicy::make(std::move(options)).value();
}

TEST(RedirectPolicy, GoesBySize) {
  const Client client{"containerd/2.0"};
  EXPECT_FALSE(client.is_sent_away(RedirectPolicy(), UINT64_MAX));
  EXPECT_FALSE(client.is_sent_away(policy_of({.when = When::kNever}), UINT64_MAX));
  EXPECT_TRUE(client.is_sent_away(policy_of({.when = When::kAlways}), 0));
  const RedirectPolicy large = policy_of({.when = When::kLarge, .size_min = 100});
  EXPECT_FALSE(client.is_sent_away(large, 99));
  EXPECT_TRUE(client.is_sent_away(large, 100));
}

TEST(RedirectPolicy, SparesThoseWhoCannotFollow) {
  const RedirectPolicy policy = policy_of({.when = When::kAlways,
                                           .except_agents = {"Old-Client/1"},
                                           .except_networks = {"10.0.0.0/8", "2001:db8::1"}});
  EXPECT_TRUE((Client{"docker/20"}.is_sent_away(policy, 1)));
  EXPECT_FALSE((Client{"x old-client/1.5 y"}.is_sent_away(policy, 1)));
  EXPECT_FALSE((Client{"docker/20", "10.1.2.3"}.is_sent_away(policy, 1)));
  EXPECT_FALSE((Client{"docker/20", "2001:db8::1"}.is_sent_away(policy, 1)));
  EXPECT_TRUE((Client{"docker/20", "11.1.2.3"}.is_sent_away(policy, 1)));
}

TEST(RedirectPolicy, NamesTheEntryThatIsNoNetwork) {
  const auto policy = RedirectPolicy::make({.except_networks = {"10.0.0.0/8", "10.0.0.0/40"}});
  ASSERT_FALSE(policy);
  EXPECT_EQ(policy.error().detail, "10.0.0.0/40");
}

}  // namespace
}  // namespace roadstead::api::oci
