#pragma once

#include <filesystem>
#include <memory>

#include "storage/blob_store.h"

namespace roadstead::storage {

/// Blobs below `root`, each in a file of its own: blobs/<alg>/<2 hex>/<hex>. Those in the layout of
/// CNCF distribution and so of Harbor, docker/registry/v2/blobs/<alg>/<2 hex>/<hex>/data, are read
/// where they lie. Uploads are staged in <root>/uploads/ on the same file system. Creates what is
/// missing. A store belongs to one process at a time.
Result<std::unique_ptr<BlobStore>> open_filesystem_store(const std::filesystem::path& root);

/// Bytes in memory, for tests of capabilities, with the traits of the kind of store that is wanted.
/// Passes the same contract.
std::unique_ptr<BlobStore> make_memory_store(const StoreTraits& traits = {});

}  // namespace roadstead::storage
