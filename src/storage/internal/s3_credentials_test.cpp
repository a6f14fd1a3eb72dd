#include "storage/internal/s3_credentials.h"

#include <fstream>
#include <map>

#include <gtest/gtest.h>

#include "storage/testing/s3_server.h"
#include "sys/testing/scratch_directory.h"

namespace roadstead::storage::internal {
namespace {

using testing::S3Server;

constexpr std::string_view kFile =
    "# a comment\n[default]\naws_access_key_id = first\naws_secret_access_key=one\n\n"
    "[other]\r\naws_access_key_id=second\r\naws_secret_access_key = two\r\n"
    "aws_session_token = t=t\r\nregion = x\r\n[empty]\n";

TEST(S3Credentials, ProfilesAreRead) {
  const S3Credentials first = parse_profile(kFile, "default").value();
  EXPECT_EQ(first.access_key, "first");
  EXPECT_EQ(first.secret_key, "one");
  EXPECT_EQ(first.session_token, "");
  const S3Credentials second = parse_profile(kFile, "other").value();
  EXPECT_EQ(second.secret_key, "two");
  EXPECT_EQ(second.session_token, "t=t");
  EXPECT_FALSE(parse_profile(kFile, "empty"));
  EXPECT_FALSE(parse_profile(kFile, "absent"));
  EXPECT_FALSE(parse_profile("", "default"));
}

TEST(S3Credentials, RolesAreRead) {
  const auto role = parse_role_document(
      R"({"Code":"Success","AccessKeyId":"a","SecretAccessKey":"s","Token":"t",)"
      R"("Expiration":"2026-11-26T10:15:23Z"})");
  ASSERT_TRUE(role);
  EXPECT_EQ(role->session_token, "t");
  EXPECT_EQ(to_micros(*role->expires_at), 1'795'688'123'000'000);
  for (const std::string_view wrong :
       {"", "[]", "{}", R"({"AccessKeyId":1,"SecretAccessKey":"s"})"}) {
    EXPECT_FALSE(parse_role_document(wrong)) << wrong;
  }
}

class CredentialChainTest : public ::testing::Test {
 protected:
  static const S3Server& server() {
    static const std::unique_ptr<S3Server> running = S3Server::start_double();
    return *running;
  }
  static std::string asked() { return server().control("/__count", "{}"); }

  void SetUp() override { server().control("/__reset", "{}"); }
  std::string file(const std::string& name, std::string_view content) {
    std::ofstream(scratch_.path() / name) << content;
    return (scratch_.path() / name).string();
  }
  CredentialChain& chain() {
    if (!chain_) {
      chain_.emplace(
          pool_,
          [this](std::string_view name) -> std::optional<std::string> {
            const auto found = variables_.find(name);
            return found == variables_.end() ? std::nullopt : std::optional(found->second);
          },
          "us-east-1", clock_);
    }
    return *chain_;
  }

  sys::testing::ScratchDirectory scratch_;
  FakeClock clock_{SystemClock().now()};
  HttpPool pool_;
  std::map<std::string, std::string, std::less<>> variables_{{"AWS_EC2_METADATA_DISABLED", "true"},
                                                             {"HOME", "/nonexistent"}};
  std::optional<CredentialChain> chain_;
};

TEST_F(CredentialChainTest, NoneAreAMistakeOfTheConfiguration) {
  const auto none = chain().get();
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().subject, Subject::kConfiguration);
}

TEST_F(CredentialChainTest, TheEnvironmentComesFirst) {
  variables_["AWS_SHARED_CREDENTIALS_FILE"] = file("credentials", kFile);
  variables_["AWS_ACCESS_KEY_ID"] = "key";
  variables_["AWS_SECRET_ACCESS_KEY"] = "secret";
  variables_["AWS_SESSION_TOKEN"] = "token";
  EXPECT_EQ(chain().get().value().session_token, "token");
}

TEST_F(CredentialChainTest, AFileIsReadAgain) {
  variables_["AWS_SHARED_CREDENTIALS_FILE"] = file("credentials", kFile);
  variables_["AWS_PROFILE"] = "other";
  EXPECT_EQ(chain().get().value().access_key, "second");
  file("credentials", "[other]\naws_access_key_id=third\naws_secret_access_key=three\n");
  EXPECT_EQ(chain().get().value().access_key, "second");
  clock_.advance(std::chrono::minutes(6));
  EXPECT_EQ(chain().get().value().access_key, "third");
}

TEST_F(CredentialChainTest, RefusedOnesAreLookedForAgain) {
  variables_["AWS_SHARED_CREDENTIALS_FILE"] = file("credentials", kFile);
  const S3Credentials first = chain().get().value();
  file("credentials", "[default]\naws_access_key_id=third\naws_secret_access_key=three\n");
  chain().forget(first);
  EXPECT_EQ(chain().get().value().access_key, "third");
  chain().forget(first);
  EXPECT_EQ(chain().get().value().access_key, "third") << "it was not that which was refused";
}

TEST_F(CredentialChainTest, OfAnInstance) {
  variables_.erase("AWS_EC2_METADATA_DISABLED");
  variables_["AWS_EC2_METADATA_SERVICE_ENDPOINT"] = server().endpoint();
  const S3Credentials found = chain().get().value();
  EXPECT_EQ(found.access_key, "double-key");
  EXPECT_EQ(found.session_token, "session/+=");
  EXPECT_EQ(asked(), R"({"credentials": 3})");
  clock_.advance(std::chrono::minutes(50));
  EXPECT_TRUE(chain().get());
  EXPECT_EQ(asked(), R"({"credentials": 3})") << "they are kept";
  clock_.advance(std::chrono::minutes(6));
  EXPECT_TRUE(chain().get());
  EXPECT_EQ(asked(), R"({"credentials": 6})") << "until shortly before they expire";
}

TEST_F(CredentialChainTest, GoodOnesAreUsedWhileNobodyGivesOutNewOnes) {
  variables_.erase("AWS_EC2_METADATA_DISABLED");
  variables_["AWS_CONTAINER_CREDENTIALS_FULL_URI"] = server().endpoint() + "/container/role";
  variables_["AWS_CONTAINER_AUTHORIZATION_TOKEN"] = "proof";
  EXPECT_TRUE(chain().get());
  variables_["AWS_CONTAINER_AUTHORIZATION_TOKEN"] = "another";
  clock_.advance(std::chrono::minutes(57));
  EXPECT_EQ(chain().get().value().access_key, "double-key");
  clock_.advance(std::chrono::minutes(5));
  EXPECT_EQ(chain().get().error().code, Code::kUnavailable);
}

TEST_F(CredentialChainTest, OfAContainerWithATokenInAFile) {
  variables_["AWS_CONTAINER_CREDENTIALS_FULL_URI"] = server().endpoint() + "/container/role";
  variables_["AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"] = file("proof", "proof\n");
  EXPECT_EQ(chain().get().value().secret_key, "double-secret");
}

TEST_F(CredentialChainTest, OfAWebIdentity) {
  variables_["AWS_WEB_IDENTITY_TOKEN_FILE"] = file("token", "a.b.c\n");
  variables_["AWS_ROLE_ARN"] = "arn:aws:iam::1:role/r";
  variables_["AWS_ENDPOINT_URL_STS"] = server().endpoint();
  EXPECT_EQ(chain().get().value().session_token, "session");
  variables_["AWS_ROLE_ARN"] = "arn:aws:iam::1:role/other";
  clock_.advance(std::chrono::hours(2));
  const auto refused = chain().get();
  ASSERT_FALSE(refused);
  EXPECT_EQ(describe(refused.error()).find("a.b.c"), std::string::npos);
}

}  // namespace
}  // namespace roadstead::storage::internal
