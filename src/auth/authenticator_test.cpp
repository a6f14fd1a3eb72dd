#include "auth/authenticator.h"

#include <unistd.h>

#include <atomic>
#include <thread>

#include <gtest/gtest.h>

#include "auth/basic_cache.h"
#include "auth/user_access.h"
#include "auth/user_store.h"
#include "base/text.h"
#include "crypto/hasher.h"
#include "db/testing/scratch_database.h"

namespace roadstead::auth {
namespace {

std::string basic(const std::string& name, const std::string& password) {
  return "Basic " + to_base64(bytes_of(name + ":" + password));
}

class Authentication : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(ensure_administrator(*database_, "Harbor12345").value());
    alice_ =
        users_
            .create({.name = "alice",
                     .password = "Oracle12345",
                     .profile = {.email = "alice@example.com", .realname = "A", .comment = ""}})
            .value();
  }
  Result<Principal> login(const std::string& authorization,
                          const std::string& address = "10.0.0.1") {
    return authenticator_->authenticate(authorization, address);
  }
  bool holds(const Principal& principal) {
    return database_
        ->read([&](db::ReadSession& session) { return UserAccess::read(session, principal); })
        .value()
        .credentials_hold(principal);
  }
  std::string stored_hash() {
    return database_
        ->read([&](db::ReadSession& session) {
          return session.first("SELECT password_hash FROM user_account WHERE id = ?", {alice_},
                               [](const db::Row& row) { return std::string(row.text(0)); });
        })
        .value()
        .value();
  }

  FakeClock clock_{from_micros(1'700'000'000'000'000)};
  log::Sink sink_{STDERR_FILENO, log::Format::kText, log::Level::kError, clock_};
  db::testing::ScratchDatabase database_ = db::testing::open_scratch_database();
  PasswordPool passwords_{{}};
  UserStore users_{*database_, passwords_};
  TokenService tokens_{clock_, crypto::SigningKey::generate(2048).value(), {}};
  LoginThrottle throttle_{clock_};
  std::unique_ptr<Authenticator> authenticator_ =
      make_authenticator({.database = *database_,
                          .passwords = passwords_,
                          .tokens = tokens_,
                          .throttle = throttle_,
                          .clock = clock_,
                          .logger = log::Logger(sink_)});
  UserId alice_;
};

TEST_F(Authentication, WithoutHeaderIsAnonymous) {
  const auto principal = authenticator_->try_authenticate("", "10.0.0.1");
  ASSERT_TRUE(principal.has_value());
  EXPECT_EQ(principal->value().kind, Principal::Kind::kAnonymous);
  EXPECT_EQ(principal->value().label(), "anonymous");
}

TEST_F(Authentication, ByNameAndByEmail) {
  EXPECT_EQ(login(basic("alice", "Oracle12345")).value().user, alice_);
  const Principal by_email = login(basic("alice@example.com", "Oracle12345")).value();
  EXPECT_EQ(by_email.name, "alice");
  EXPECT_EQ(by_email.label(), "user:alice");
  EXPECT_FALSE(by_email.scopes.has_value());
}

TEST_F(Authentication, UnknownNameAndWrongPasswordAreTheSame) {
  const Error wrong = login(basic("alice", "Wrong12345")).error();
  const Error unknown = login(basic("ghost", "Wrong12345")).error();
  EXPECT_EQ(wrong.code, Code::kUnauthenticated);
  EXPECT_EQ(describe(wrong), describe(unknown));
}

TEST_F(Authentication, UnknownNamesAreThrottledLikeKnownOnes) {
  for (int i = 0; i < 5; ++i) {
    EXPECT_EQ(login(basic("alice", "Wrong12345")).error().code, Code::kUnauthenticated);
    EXPECT_EQ(login(basic("ghost", "Wrong12345")).error().code, Code::kUnauthenticated);
  }
  const Error known = login(basic("alice", "Wrong12345")).error();
  const Error unknown = login(basic("ghost", "Wrong12345")).error();
  EXPECT_EQ(known.code, Code::kRateLimited);
  EXPECT_EQ(describe(known), describe(unknown));
}

TEST_F(Authentication, MalformedHeadersAreToldWithoutWaiting) {
  for (const std::string bad : {"Basic !!!", "Basic", "Digest x", "Bearer junk", "Bearer a.b.c",
                                "Harbor-Secret x", "Basic Om5vbmFtZQ=="}) {
    const auto outcome = authenticator_->try_authenticate(bad, "10.0.0.1");
    ASSERT_TRUE(outcome.has_value()) << bad;
    EXPECT_EQ(outcome->error().code, Code::kUnauthenticated) << bad;
    EXPECT_EQ(login(bad).error().code, Code::kUnauthenticated) << bad;
  }
}

TEST_F(Authentication, RemembersForAMinute) {
  const std::string header = basic("alice", "Oracle12345");
  EXPECT_FALSE(authenticator_->try_authenticate(header, "10.0.0.1").has_value());
  ASSERT_TRUE(login(header));
  const auto remembered = authenticator_->try_authenticate(header, "10.0.0.1");
  ASSERT_TRUE(remembered.has_value());
  EXPECT_EQ(remembered->value().user, alice_);
  EXPECT_TRUE(holds(remembered->value()));
  clock_.advance(BasicCache::kLifetime);
  EXPECT_FALSE(authenticator_->try_authenticate(header, "10.0.0.1").has_value());
}

TEST_F(Authentication, AChangedPasswordCountsAtTheNextRequest) {
  const std::string old_header = basic("alice", "Oracle12345");
  ASSERT_TRUE(login(old_header));
  ASSERT_TRUE(users_.set_password(alice_, "Changed12345"));
  EXPECT_FALSE(holds(authenticator_->try_authenticate(old_header, "10.0.0.1")->value()));
  EXPECT_EQ(login(old_header).error().code, Code::kUnauthenticated);

  const Principal current = login(basic("alice", "Changed12345")).value();
  EXPECT_TRUE(holds(current));
  ASSERT_TRUE(users_.set_password(alice_, "Oracle12345"));
  EXPECT_TRUE(holds(login(old_header).value())) << "changed back within the minute";
}

TEST_F(Authentication, ADeletedUserIsGoneAtTheNextRequest) {
  const Principal by_password = login(basic("alice", "Oracle12345")).value();
  const std::string bearer = "Bearer " + tokens_.issue(by_password, {}).token;
  const Principal by_token = login(bearer).value();
  EXPECT_TRUE(holds(by_token));
  ASSERT_TRUE(users_.remove(alice_));
  EXPECT_FALSE(holds(by_password));
  EXPECT_FALSE(holds(by_token));
  EXPECT_EQ(login(basic("alice", "Oracle12345")).error().code, Code::kUnauthenticated);
}

TEST_F(Authentication, ATokenOutlivesAChangeOfPassword) {
  const Principal principal = login(basic("alice", "Oracle12345")).value();
  const std::string bearer = "Bearer " + tokens_.issue(principal, {}).token;
  ASSERT_TRUE(users_.set_password(alice_, "Changed12345"));
  EXPECT_TRUE(holds(login(bearer).value()));
}

TEST_F(Authentication, WeakHashesAreReplacedAtLogin) {
  // One round of PBKDF2 is one HMAC over the salt and the number of the block.
  const std::string salt = "abcdef";
  const std::string derived = crypto::hmac_sha256("Oracle12345", salt + std::string("\0\0\0\1", 4));
  const std::string weak =
      "$pbkdf2-sha256$i=1$" + to_base64url(bytes_of(salt)) + "$" + to_hex(bytes_of(derived));
  (void)database_
      ->write([&](db::WriteSession& session) {
        return session.execute("UPDATE user_account SET password_hash = ? WHERE id = ?",
                               {weak, alice_});
      })
      .value();
  ASSERT_TRUE(login(basic("alice", "Oracle12345")));
  EXPECT_TRUE(stored_hash().starts_with("$argon2id$"));
  EXPECT_TRUE(login(basic("alice", "Oracle12345")));
}

TEST_F(Authentication, ManyCorrectLoginsAtOnceAllSucceed) {
  const std::string header = basic("alice", "Oracle12345");
  std::atomic<int> succeeded = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < 32; ++i) {
    threads.emplace_back([&] {
      if (authenticator_->authenticate(header, "10.0.0.1")) {
        ++succeeded;
      }
    });
  }
  for (std::thread& thread : threads) {
    thread.join();
  }
  EXPECT_EQ(succeeded, 32);
}

TEST_F(Authentication, AFullQueueAsksToComeBack) {
  PasswordPool tiny({.threads = 1, .queue_max = 1});
  std::atomic<int> refused = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([&] {
      const auto outcome = tiny.hash("Oracle12345");
      if (!outcome) {
        EXPECT_EQ(outcome.error().code, Code::kRateLimited);
        EXPECT_EQ(outcome.error().detail, "1");
        ++refused;
      }
    });
  }
  for (std::thread& thread : threads) {
    thread.join();
  }
  EXPECT_LT(refused, 8);
}

}  // namespace
}  // namespace roadstead::auth
