#include "auth/signing_key.h"

#include <gtest/gtest.h>

#include "crypto/secret_box.h"
#include "db/testing/scratch_database.h"

namespace roadstead::auth {
namespace {

TEST(SigningKey, IsMadeOnceAndKept) {
  const auto database = db::testing::open_scratch_database();
  const std::string secret = crypto::new_secret_key();
  const auto first = load_signing_key(*database, secret);
  const auto second = load_signing_key(*database, secret);
  ASSERT_TRUE(first);
  EXPECT_EQ(first->key_id(), second->key_id());
}

TEST(SigningKey, RestsSealed) {
  const auto database = db::testing::open_scratch_database();
  ASSERT_TRUE(load_signing_key(*database, crypto::new_secret_key()));
  const auto stored =
      database
          ->read([](db::ReadSession& session) {
            return session.first("SELECT value FROM property", {},
                                 [](const db::Row& row) { return std::string(row.text(0)); });
          })
          .value();
  EXPECT_EQ(stored->find("PRIVATE"), std::string::npos);
  EXPECT_EQ(load_signing_key(*database, crypto::new_secret_key()).error().code,
            Code::kPrecondition);
}

TEST(SigningKey, ComesFromAFileIfThereIsOne) {
  EXPECT_EQ(read_signing_key("/nonexistent/key.pem").error().code, Code::kNotFound);
}

}  // namespace
}  // namespace roadstead::auth
