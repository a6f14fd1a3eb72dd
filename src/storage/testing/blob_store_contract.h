#pragma once

#include <functional>
#include <memory>
#include <string>

#include <gtest/gtest.h>

#include "storage/blob_store.h"

namespace roadstead::storage::testing {

/// A store for one test, with whatever it lives on.
class StoreUnderTest {
 public:
  virtual ~StoreUnderTest() = default;
  virtual BlobStore& store() = 0;
  /// Opens the store again as a new process would, as far as that makes a difference.
  virtual void restart() = 0;
};

struct StoreFactory {
  std::string name;  ///< Letters and digits only.
  std::function<std::unique_ptr<StoreUnderTest>()> make;
};

/// What every BlobStore promises. An implementation's test says:
///   INSTANTIATE_TEST_SUITE_P(Name, BlobStoreContract, Values(StoreFactory{…}), factory_name);
class BlobStoreContract : public ::testing::TestWithParam<StoreFactory> {
 protected:
  void SetUp() override;
  [[nodiscard]] BlobStore& store() const { return under_test_->store(); }
  void restart() { under_test_->restart(); }

 private:
  std::unique_ptr<StoreUnderTest> under_test_;
};

std::string factory_name(const ::testing::TestParamInfo<StoreFactory>& info);

/// Uploads and commits under the content's SHA-256.
Result<Location> put(BlobStore& store, std::string_view content);
/// Reads a whole blob.
Result<std::string> get(BlobStore& store, const Location& location);
/// Every location, gathered in pages of `count`.
std::vector<std::string> list_all(BlobStore& store, std::size_t count);
/// `size` bytes that do not repeat; the same for the same seed.
std::string sample_bytes(std::size_t size, unsigned seed = 1);

}  // namespace roadstead::storage::testing
