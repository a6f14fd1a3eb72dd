#include "storage/internal/layout.h"

#include <initializer_list>

#include "base/check.h"
#include "base/text.h"
#include "storage/internal/upload_token.h"

namespace roadstead::storage::internal {

namespace {

std::string join(std::initializer_list<std::string_view> parts) {
  std::size_t size = 0;
  for (const std::string_view part : parts) {
    size += part.size();
  }
  std::string whole;
  whole.reserve(size);
  for (const std::string_view part : parts) {
    whole.append(part);
  }
  return whole;
}

constexpr std::string_view kBlobs = "/docker/registry/v2/blobs/";

}  // namespace

std::string Layout::blobs(model::Algorithm algorithm) const {
  return join({root_, kBlobs, crypto::to_string(algorithm)});
}

std::string Layout::prefix(const model::Digest& digest) const {
  return join(
      {root_, kBlobs, crypto::to_string(digest.algorithm()), "/", digest.hex().substr(0, 2)});
}

std::string Layout::directory(const model::Digest& digest) const {
  return join({root_, kBlobs, crypto::to_string(digest.algorithm()), "/", digest.hex().substr(0, 2),
               "/", digest.hex()});
}

std::string Layout::data(const model::Digest& digest) const {
  return join({root_, kBlobs, crypto::to_string(digest.algorithm()), "/", digest.hex().substr(0, 2),
               "/", digest.hex(), "/data"});
}

std::string Layout::upload(std::string_view uuid) const {
  CHECK(is_uuid(uuid));
  return join({root_, "/uploads/", uuid});
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
