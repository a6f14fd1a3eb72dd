#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "base/result.h"
#include "model/digest.h"
#include "storage/blob_store.h"

namespace roadstead::storage::internal {

/// The two ways in which a blob may lie, in the order of their locations.
enum class Shape {
  kFile,          ///< A file named by the digest: what is published.
  kDistribution,  ///< A directory of its own: what CNCF distribution and Harbor left, and is kept.
};

/// Where one blob lies.
struct Place {
  Shape shape = Shape::kFile;
  model::Digest digest;

  /// "blobs/<alg>/<first 2 hex>/<hex>" of a file, "<alg>:<hex>" in distribution's layout.
  [[nodiscard]] Location location() const;
  /// Strict, as if an enemy had written it. Errors: kInvalid + kBlob.
  static Result<Place> parse(const Location& location);
};

/// Where a filesystem store keeps what:
///
///   <root>/blobs/<alg>/<first 2 hex>/<hex>                            a published blob
///   <root>/docker/registry/v2/blobs/<alg>/<first 2 hex>/<hex>/data    one that was there before
///   <root>/uploads/<uuid>                                             bytes of an upload
///
/// Only validated values become parts of a path.
class Layout {
 public:
  /// `taken_over`: blobs in distribution's layout were there when the store was opened.
  Layout(const std::filesystem::path& root, bool taken_over)
      : root_(root.string()), taken_over_(taken_over) {}

  [[nodiscard]] const std::string& root() const { return root_; }
  [[nodiscard]] bool taken_over() const { return taken_over_; }
  /// …/blobs/<alg>
  [[nodiscard]] std::string blobs(Shape shape, model::Algorithm algorithm) const;
  /// …/<first 2 hex>
  [[nodiscard]] std::string prefix(const Place& place) const;
  /// The directory that holds the name: the prefix, or …/<hex> in distribution's layout.
  [[nodiscard]] std::string directory(const Place& place) const;
  /// The file.
  [[nodiscard]] std::string data(const Place& place) const;
  [[nodiscard]] std::string uploads() const { return root_ + "/uploads"; }
  [[nodiscard]] std::string upload(std::string_view uuid) const;

 private:
  std::string root_;
  bool taken_over_;
};

/// Below the root, with a slash before and behind.
inline constexpr std::string_view kDistributionBlobs = "/docker/registry/v2/blobs/";

/// The digest in "<alg>:<hex>". Errors: kInvalid + kBlob: not one, whatever wrote it.
Result<model::Digest> digest_of(const Location& location);
/// "00" … "ff"
std::string prefix_name(unsigned prefix);

/// kNotFound + kBlob, in the words of the distribution specification.
Error blob_unknown(const Location& location);

}  // namespace roadstead::storage::internal
