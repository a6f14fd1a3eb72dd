#include <gmock/gmock.h>

#include "base/text.h"
#include "storage/s3.h"
#include "storage/testing/blob_store_contract.h"
#include "storage/testing/s3_server.h"
#include "sys/process.h"

namespace roadstead::storage::testing {
namespace {

/// One server for all tests of a suite; each test has a prefix of its own in its bucket.
class S3UnderTest final : public StoreUnderTest {
 public:
  explicit S3UnderTest(const S3Server& server) : options_(server.options(sys::random_uuid())) {
    restart();
  }
  BlobStore& store() override { return *store_; }
  void restart() override {
    store_.reset();
    store_ = open_s3_store(options_).value();
  }

 private:
  S3Options options_;
  std::unique_ptr<BlobStore> store_;
};

const S3Server& the_double() {
  static const std::unique_ptr<S3Server> server = S3Server::start_double();
  return *server;
}

const S3Server* the_real_one() {
  static const std::unique_ptr<S3Server> server = S3Server::start_real();
  return server.get();
}

std::vector<StoreFactory> factories() {
  std::vector<StoreFactory> all{
      {"double", [] { return std::make_unique<S3UnderTest>(the_double()); }}};
  // Where it cannot be had, S3RealServer.IsTested says so.
  if (the_real_one() != nullptr) {
    all.push_back({real_server(), [] { return std::make_unique<S3UnderTest>(*the_real_one()); }});
  }
  return all;
}

INSTANTIATE_TEST_SUITE_P(S3, BlobStoreContract, ::testing::ValuesIn(factories()), factory_name);

TEST(S3RealServer, IsTested) {
  if (the_real_one() == nullptr) {
    GTEST_SKIP() << kNoRealServer << "; the contract was tested on the double only";
  }
}

}  // namespace
}  // namespace roadstead::storage::testing
