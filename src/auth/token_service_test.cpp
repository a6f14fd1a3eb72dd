#include "auth/token_service.h"

#include <algorithm>
#include <optional>

#include <gtest/gtest.h>

#include "base/text.h"
#include "json/json.h"

namespace roadstead::auth {
namespace {

const std::string& key_pem() {
  static const std::string kPem = crypto::SigningKey::generate(2048).value().to_pem();
  return kPem;
}

crypto::SigningKey key() {
  return crypto::SigningKey::from_pem(key_pem()).value();
}

Principal alice() {
  Principal principal;
  principal.kind = Principal::Kind::kUser;
  principal.user = UserId{7};
  principal.name = "alice";
  return principal;
}

Access repository(const std::string& name, std::vector<std::string_view> actions,
                  std::optional<ProjectId> project) {
  return {.scope = {.type = "repository", .name = name},
          .actions = std::move(actions),
          .project = project};
}

json::Document payload_of(const std::string& token) {
  return json::Document::parse(from_base64url(split(token, '.')[1]).value()).value();
}

class Tokens : public testing::Test {
 protected:
  /// A token of our key with these claims, whatever they say.
  std::string forged(std::string_view claims) { return crypto::make_jwt(key(), claims); }
  std::string claims(std::string_view issuer, std::string_view audience, std::int64_t expires,
                     std::int64_t not_before, std::string_view jti) {
    json::Writer w;
    w.begin_object();
    w.member("iss", issuer);
    w.member("aud", audience);
    w.member("exp", expires);
    w.member("nbf", not_before);
    w.member("iat", not_before);
    w.member("jti", jti);
    w.end_object();
    return w.take();
  }
  FakeClock clock_{from_micros(1'700'000'000'500'000)};
  TokenService tokens_{clock_, key(), {}};
};

TEST_F(Tokens, AreReadBackAsTheirCaller) {
  const std::vector<Access> access{repository("reg/app", {"pull", "push"}, ProjectId{3}),
                                   repository("nope/x", {}, std::nullopt),
                                   repository("reg/b", {"pull", "push", "delete"}, ProjectId{4})};
  const IssuedToken issued = tokens_.issue(alice(), access);
  EXPECT_EQ(issued.lifetime, std::chrono::seconds(1'800));
  const Principal read = tokens_.verify(issued.token).value();
  EXPECT_EQ(read.user, UserId{7});
  EXPECT_EQ(read.name, "alice");
  EXPECT_FALSE(read.credential_version.has_value());
  EXPECT_EQ(read.token_issued_at, from_micros(1'700'000'000'000'000));
  ASSERT_EQ(read.scopes->size(), 2U) << "a scope without a project grants nothing";
  EXPECT_EQ(read.scopes->at(0).repository, "reg/app");
  EXPECT_EQ(read.scopes->at(0).project, ProjectId{3});
  EXPECT_TRUE(read.scopes->at(0).pull);
  EXPECT_TRUE(read.scopes->at(0).push);
  EXPECT_FALSE(read.scopes->at(0).remove);
  EXPECT_EQ(read.scopes->at(1).project, ProjectId{4});
  EXPECT_TRUE(read.scopes->at(1).remove);
  EXPECT_FALSE(read.catalog);
}

TEST_F(Tokens, HaveExactlyTheKnownClaims) {
  const auto document = payload_of(
      tokens_.issue(alice(), std::vector{repository("a/b", {"pull"}, ProjectId{1})}).token);
  const json::Value root = document.root();
  std::vector<std::string> names;
  for (std::size_t i = 0; i < root.size(); ++i) {
    names.emplace_back(root.name_at(i));
  }
  std::sort(names.begin(), names.end());
  EXPECT_EQ(names,
            (std::vector<std::string>{"access", "aud", "exp", "iat", "iss", "jti", "nbf", "sub"}));
  EXPECT_EQ(root["iss"].as_string(), "harbor-token-issuer");
  EXPECT_EQ(root["aud"].as_string(), "harbor-registry");
  EXPECT_EQ(root["sub"].as_string(), "alice");
  EXPECT_EQ(*root["exp"].as_int() - *root["iat"].as_int(), 1'800);
  EXPECT_EQ(root["access"].at(0).to_text(),
            R"({"type":"repository","name":"a/b","actions":["pull"]})");
}

TEST_F(Tokens, OfNobodyHaveNoSubject) {
  const IssuedToken issued = tokens_.issue(Principal{}, {});
  const auto document = payload_of(issued.token);
  EXPECT_FALSE(document.root()["sub"].present());
  EXPECT_TRUE(document.root()["access"].is_null());
  const Principal read = tokens_.verify(issued.token).value();
  EXPECT_EQ(read.kind, Principal::Kind::kAnonymous);
  ASSERT_TRUE(read.scopes.has_value());
  EXPECT_TRUE(read.scopes->empty());
}

TEST_F(Tokens, NeverRepeat) {
  EXPECT_NE(tokens_.issue(alice(), {}).token, tokens_.issue(alice(), {}).token);
}

TEST_F(Tokens, MayHoldTheCatalog) {
  const std::vector<Access> access{
      {.scope = {"registry", "catalog"}, .actions = {"*"}, .project = std::nullopt}};
  EXPECT_TRUE(tokens_.verify(tokens_.issue(alice(), access).token).value().catalog);
}

TEST_F(Tokens, Expire) {
  const std::string token = tokens_.issue(alice(), {}).token;
  ASSERT_TRUE(tokens_.verify(token));
  clock_.advance(std::chrono::seconds(1'800));
  EXPECT_TRUE(tokens_.verify(token)) << "clocks differ a little";
  clock_.advance(std::chrono::seconds(6));
  EXPECT_EQ(tokens_.verify(token).error().code, Code::kUnauthenticated);
  TokenService fresh(clock_, key(), {});
  EXPECT_EQ(fresh.verify(token).error().message, "the token has expired");
}

TEST_F(Tokens, OfAnotherKeyAreRefused) {
  const TokenService other(clock_, crypto::SigningKey::generate(2048).value(), {});
  EXPECT_FALSE(tokens_.verify(other.issue(alice(), {}).token));
}

TEST_F(Tokens, OfAFormerKeyStillCountWhileItIsListed) {
  crypto::SigningKey next = crypto::SigningKey::generate(2048).value();
  TokenService::Options options;
  options.more_public_keys = {key().public_pem()};
  TokenService rotated(clock_, std::move(next), options);
  EXPECT_TRUE(rotated.verify(tokens_.issue(alice(), {}).token));
}

TEST_F(Tokens, WithOtherClaimsAreRefused) {
  const std::int64_t now = 1'700'000'000;
  EXPECT_TRUE(tokens_.verify(
      forged(claims("harbor-token-issuer", "harbor-registry", now + 60, now, "7..ab"))));
  EXPECT_FALSE(
      tokens_.verify(forged(claims("somebody", "harbor-registry", now + 60, now, "7..ab"))));
  EXPECT_FALSE(
      tokens_.verify(forged(claims("harbor-token-issuer", "other", now + 60, now, "7..ab"))));
  EXPECT_FALSE(tokens_.verify(
      forged(claims("harbor-token-issuer", "harbor-registry", now - 60, now - 90, "7..ab"))));
  EXPECT_FALSE(tokens_.verify(
      forged(claims("harbor-token-issuer", "harbor-registry", now + 900, now + 600, "7..ab"))));
  EXPECT_FALSE(tokens_.verify(
      forged(claims("harbor-token-issuer", "harbor-registry", now + 60, now, "x..ab"))));
  EXPECT_FALSE(tokens_.verify(forged("{}")));
  EXPECT_FALSE(tokens_.verify(forged("[]")));
  EXPECT_FALSE(tokens_.verify(""));
  EXPECT_FALSE(tokens_.verify("a.b.c"));
}

TEST(ParseScope, SplitsAtTheOuterColons) {
  EXPECT_EQ(parse_scope("repository:reg/app:pull,push").name, "reg/app");
  EXPECT_EQ(parse_scope("repository:host:5000/reg/app:pull").name, "host:5000/reg/app");
  EXPECT_EQ(parse_scope("repository:reg/app").name, "reg/app");
  EXPECT_EQ(parse_scope("repository:reg/app:").name, "reg/app");
  EXPECT_EQ(parse_scope("repository").name, "");
  EXPECT_EQ(parse_scope("repository::pull").name, "");
  EXPECT_EQ(parse_scope("repository(plugin):reg/app:pull").type, "repository(plugin)");
  EXPECT_EQ(parse_scope("registry:catalog:*").name, "catalog");
}

}  // namespace
}  // namespace roadstead::auth
