#include "storage/filesystem.h"
#include "storage/testing/blob_store_contract.h"

namespace roadstead::storage::testing {
namespace {

class MemoryUnderTest final : public StoreUnderTest {
 public:
  BlobStore& store() override { return *store_; }
  void restart() override {}  // What is in memory does not outlive its process.

 private:
  std::unique_ptr<BlobStore> store_ = make_memory_store();
};

INSTANTIATE_TEST_SUITE_P(Memory, BlobStoreContract,
                         ::testing::Values(StoreFactory{
                             "memory", [] { return std::make_unique<MemoryUnderTest>(); }}),
                         factory_name);

}  // namespace
}  // namespace roadstead::storage::testing
