#include "storage/filesystem.h"
#include "storage/testing/blob_store_contract.h"

namespace roadstead::storage::testing {
namespace {

class MemoryUnderTest final : public StoreUnderTest {
 public:
  explicit MemoryUnderTest(const StoreTraits& traits) : store_(make_memory_store(traits)) {}
  BlobStore& store() override { return *store_; }
  void restart() override {}  // What is in memory does not outlive its process.

 private:
  std::unique_ptr<BlobStore> store_;
};

StoreFactory factory(const std::string& name, const StoreTraits& traits) {
  return {name, [traits] { return std::make_unique<MemoryUnderTest>(traits); }};
}

INSTANTIATE_TEST_SUITE_P(Memory, BlobStoreContract,
                         ::testing::Values(factory("memory", {}),
                                           factory("own", {.own_locations = true})),
                         factory_name);

}  // namespace
}  // namespace roadstead::storage::testing
