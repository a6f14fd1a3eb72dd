#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "base/result.h"
#include "model/digest.h"
#include "storage/blob_store.h"

namespace roadstead::storage::internal {

/// Where a filesystem store keeps what:
///
///   <root>/docker/registry/v2/blobs/<alg>/<first 2 hex>/<hex>/data    a published blob
///   <root>/uploads/<uuid>                                             bytes of an upload
///
/// The upper half is CNCF distribution's layout. Only validated values become parts of a path.
class Layout {
 public:
  explicit Layout(const std::filesystem::path& root) : root_(root.string()) {}

  [[nodiscard]] const std::string& root() const { return root_; }
  /// docker/registry/v2/blobs/<alg>
  [[nodiscard]] std::string blobs(model::Algorithm algorithm) const;
  /// …/<first 2 hex>
  [[nodiscard]] std::string prefix(const model::Digest& digest) const;
  /// …/<hex>
  [[nodiscard]] std::string directory(const model::Digest& digest) const;
  /// …/data
  [[nodiscard]] std::string data(const model::Digest& digest) const;
  [[nodiscard]] std::string uploads() const { return root_ + "/uploads"; }
  [[nodiscard]] std::string upload(std::string_view uuid) const;

 private:
  std::string root_;
};

/// Locations of this store are digests. Errors: kInvalid + kBlob: not one, whatever wrote it.
Result<model::Digest> digest_of(const Location& location);
/// "00" … "ff"
std::string prefix_name(unsigned prefix);

/// kNotFound + kBlob, in the words of the distribution specification.
Error blob_unknown(const Location& location);

}  // namespace roadstead::storage::internal
