#include "storage/internal/layout.h"

#include <initializer_list>

#include "base/check.h"
#include "base/text.h"
#include "storage/distribution_layout.h"
#include "storage/internal/upload_token.h"

namespace roadstead::storage {
namespace internal {

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

constexpr std::string_view kFileBlobs = "/blobs/";
constexpr std::size_t kPrefixSize = 2;

std::string_view tree(Shape shape) {
  return shape == Shape::kFile ? kFileBlobs : kDistributionBlobs;
}

Error foreign(const Location& location) {
  return Error{Code::kInvalid, Subject::kBlob, "not a location of this store",
               location.value.substr(0, 160)};
}

}  // namespace

Location Place::location() const {
  if (shape == Shape::kDistribution) {
    return Location{digest.to_string()};
  }
  return Location{join({kFileBlobs.substr(1), crypto::to_string(digest.algorithm()), "/",
                        digest.hex().substr(0, kPrefixSize), "/", digest.hex()})};
}

Result<Place> Place::parse(const Location& location) {
  std::string_view rest = location.value;
  if (!rest.starts_with(kFileBlobs.substr(1))) {
    return Place{Shape::kDistribution, TRY(digest_of(location))};
  }
  rest.remove_prefix(kFileBlobs.size() - 1);
  const std::string_view algorithm = rest.substr(0, rest.find('/'));
  const std::string_view hex = rest.substr(rest.rfind('/') + 1);
  Result<model::Digest> digest = model::Digest::parse(join({algorithm, ":", hex}));
  if (!digest) {
    return foreign(location);
  }
  Place place{Shape::kFile, std::move(*digest)};
  // One blob has one location: whatever else stands between is not ours.
  return place.location() == location ? Result<Place>(std::move(place)) : foreign(location);
}

std::string Layout::blobs(Shape shape, model::Algorithm algorithm) const {
  return join({root_, tree(shape), crypto::to_string(algorithm)});
}

std::string Layout::prefix(const Place& place) const {
  return join({root_, tree(place.shape), crypto::to_string(place.digest.algorithm()), "/",
               place.digest.hex().substr(0, kPrefixSize)});
}

std::string Layout::directory(const Place& place) const {
  std::string prefix_path = prefix(place);
  return place.shape == Shape::kFile ? prefix_path : join({prefix_path, "/", place.digest.hex()});
}

std::string Layout::data(const Place& place) const {
  const std::string_view last = place.shape == Shape::kFile ? "" : "/data";
  return join({prefix(place), "/", place.digest.hex(), last});
}

std::string Layout::upload(std::string_view uuid) const {
  CHECK(is_uuid(uuid));
  return join({root_, "/uploads/", uuid});
}

Result<model::Digest> digest_of(const Location& location) {
  Result<model::Digest> digest = model::Digest::parse(location.value);
  if (!digest) {
    return foreign(location);
  }
  return digest;
}

}  // namespace internal

Result<std::optional<model::Digest>> digest_at(const Location& location) {
  constexpr std::string_view kOwn = "blobs/";
  const std::string_view value = location.value;
  if (value.starts_with(kOwn) && internal::is_uuid(value.substr(kOwn.size()))) {
    return std::optional<model::Digest>();
  }
  return std::optional(TRY(internal::Place::parse(location)).digest);
}

Location location_in_distribution_layout(const model::Digest& digest) {
  return internal::Place{internal::Shape::kDistribution, digest}.location();
}

bool in_distribution_layout(const Location& location) {
  const auto place = internal::Place::parse(location);
  return place && place->shape == internal::Shape::kDistribution;
}

namespace internal {

std::string prefix_name(unsigned prefix) {
  const auto byte = static_cast<std::byte>(prefix);
  return to_hex(std::span(&byte, 1));
}

Error blob_unknown(const Location& location) {
  return Error{Code::kNotFound, Subject::kBlob, "blob unknown to registry", location.value};
}

}  // namespace internal
}  // namespace roadstead::storage
