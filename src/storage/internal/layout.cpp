#include "storage/internal/layout.h"

#include "base/check.h"
#include "base/text.h"
#include "storage/internal/upload_token.h"

namespace roadstead::storage::internal {

std::filesystem::path Layout::blobs(model::Algorithm algorithm) const {
  return root_ / "docker/registry/v2/blobs" / crypto::to_string(algorithm);
}

std::filesystem::path Layout::prefix(const model::Digest& digest) const {
  return blobs(digest.algorithm()) / digest.hex().substr(0, 2);
}

std::filesystem::path Layout::directory(const model::Digest& digest) const {
  return prefix(digest) / digest.hex();
}

std::filesystem::path Layout::data(const model::Digest& digest) const {
  return directory(digest) / "data";
}

std::filesystem::path Layout::upload(std::string_view uuid) const {
  CHECK(is_uuid(uuid));
  return uploads() / uuid;
}

Result<model::Digest> digest_of(const Location& location) {
  Result<model::Digest> digest = model::Digest::parse(location.value);
  if (!digest) {
    return Error{Code::kInvalid, Subject::kBlob, "not a location of this store",
                 location.value.substr(0, 160)};
  }
  return digest;
}

std::string prefix_name(unsigned prefix) {
  const auto byte = static_cast<std::byte>(prefix);
  return to_hex(std::span(&byte, 1));
}

Error blob_unknown(const Location& location) {
  return Error{Code::kNotFound, Subject::kBlob, "blob unknown to registry", location.value};
}

}  // namespace roadstead::storage::internal
