#include "http/internal/proxy_headers.h"

#include <gtest/gtest.h>

namespace roadstead::http {
namespace {

TrustedProxies proxies(const std::vector<std::string>& entries) {
  return TrustedProxies::parse(entries).value();
}

Origin resolve(const std::vector<HeaderField>& fields) {
  Request request;
  request.headers = fields;
  return proxies({"10.0.0.0/8", "fd00::/16"}).resolve(request, {"10.0.0.1", "http", "inner"});
}

TEST(TrustedProxies, MatchesAddressesAndBlocks) {
  const auto some = proxies({"10.0.0.0/8", "192.0.2.7", "2001:db8::/33", "0.0.0.0/32"});
  EXPECT_TRUE(some.trusts("10.255.0.1"));
  EXPECT_TRUE(some.trusts("::ffff:10.1.2.3"));
  EXPECT_TRUE(some.trusts("192.0.2.7"));
  EXPECT_TRUE(some.trusts("2001:db8:7fff::1"));
  EXPECT_FALSE(some.trusts("2001:db8:8000::1"));
  EXPECT_FALSE(some.trusts("192.0.2.8"));
  EXPECT_FALSE(some.trusts("11.0.0.1"));
  EXPECT_FALSE(some.trusts("nonsense"));
  EXPECT_FALSE(proxies({}).trusts("127.0.0.1"));
}

TEST(TrustedProxies, RefusesBadEntries) {
  for (const char* entry :
       {"", "a", "10.0.0.0/33", "10.0.0.0/", "10.0.0/8", "::/129", "1.2.3.4/-1"}) {
    EXPECT_FALSE(TrustedProxies::parse({entry}).has_value()) << entry;
  }
}

TEST(TrustedProxies, TakesTheNearestAddressThatIsNotAProxy) {
  EXPECT_EQ(resolve({}).client_address, "10.0.0.1");
  EXPECT_EQ(resolve({{"X-Forwarded-For", "192.0.2.1"}}).client_address, "192.0.2.1");
  EXPECT_EQ(resolve({{"x-forwarded-for", "6.6.6.6, 192.0.2.1, 10.0.0.9"}}).client_address,
            "192.0.2.1");
  EXPECT_EQ(
      resolve({{"X-Forwarded-For", "6.6.6.6"}, {"X-Forwarded-For", "10.0.0.9"}}).client_address,
      "6.6.6.6");
  EXPECT_EQ(resolve({{"X-Forwarded-For", "192.0.2.1:4711"}}).client_address, "192.0.2.1");
  EXPECT_EQ(resolve({{"X-Forwarded-For", "[2001:db8::1]:443"}}).client_address, "2001:db8::1");
  EXPECT_EQ(resolve({{"X-Forwarded-For", "2001:db8::1"}}).client_address, "2001:db8::1");
  EXPECT_EQ(resolve({{"X-Forwarded-For", "192.0.2.1, unknown"}}).client_address, "10.0.0.1");
}

TEST(TrustedProxies, TakesSchemeAndHost) {
  const Origin origin =
      resolve({{"X-Forwarded-Proto", "https"}, {"X-Forwarded-Host", "registry.example.com"}});
  EXPECT_EQ(origin.scheme, "https");
  EXPECT_EQ(origin.host, "registry.example.com");
  const Origin odd = resolve({{"X-Forwarded-Proto", "gopher"}, {"X-Forwarded-Host", "a/b"}});
  EXPECT_EQ(odd.scheme, "http");
  EXPECT_EQ(odd.host, "inner");
}

}  // namespace
}  // namespace roadstead::http
