#include "registry/internal/upload_id.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <span>

#include "base/text.h"
#include "crypto/hasher.h"
#include "sys/process.h"

// RFC 9562 section 5.8 leaves all bits of a version 8 UUID but version and variant to the maker:
//
//   bytes 0-3     when the promise ends, seconds since 1970
//   bytes 4-11    random, but for version (byte 6), variant and the algorithm's bit (byte 8)
//   bytes 12-15   MAC of the bytes before, the project's id and the repository's name

namespace roadstead::registry::internal {
namespace {

using Id = std::array<std::byte, 16>;

constexpr std::size_t kMacAt = 12;
constexpr std::size_t kVersionAt = 6;
constexpr std::size_t kVariantAt = 8;
constexpr std::byte kVersion{0x80};
constexpr std::byte kVersionBits{0xf0};
constexpr std::byte kVariant{0x80};
constexpr std::byte kVariantBits{0xc0};
constexpr std::byte kSha512Bit{0x20};

std::string mac_of(std::string_view key, const UploadPlace& place, const Id& id) {
  std::string text(text_of(std::span(id).first(kMacAt)));
  text.append(std::to_string(place.project.value)).append("/").append(place.repository.to_string());
  return crypto::hmac_sha256(key, text).substr(0, id.size() - kMacAt);
}

std::optional<Id> from_text(std::string_view text) {
  std::string hex(text);
  std::erase(hex, '-');
  const auto bytes = from_hex(hex);
  Id id{};
  if (!bytes || bytes->size() != id.size()) {
    return std::nullopt;
  }
  std::copy(bytes->begin(), bytes->end(), id.begin());
  // One id has one text: others would be other uploads to whoever compares texts.
  return sys::uuid_text(id) == text ? std::optional(id) : std::nullopt;
}

}  // namespace

std::string make_upload_id(std::string_view key, const UploadPlace& place,
                           const UploadPromise& promise) {
  Id id{};
  sys::random_bytes(id);
  const auto seconds =
      std::chrono::duration_cast<std::chrono::seconds>(promise.expires_at.time_since_epoch());
  for (std::size_t i = 0; i < 4; ++i) {
    id[i] = static_cast<std::byte>(static_cast<std::uint64_t>(seconds.count()) >> (24U - 8 * i));
  }
  id[kVersionAt] = (id[kVersionAt] & ~kVersionBits) | kVersion;
  id[kVariantAt] = (id[kVariantAt] & ~(kVariantBits | kSha512Bit)) | kVariant;
  if (promise.algorithm == model::Algorithm::kSha512) {
    id[kVariantAt] |= kSha512Bit;
  }
  const std::string mac = mac_of(key, place, id);
  std::copy_n(reinterpret_cast<const std::byte*>(mac.data()), mac.size(), id.begin() + kMacAt);
  return sys::uuid_text(id);
}

std::optional<UploadPromise> read_upload_id(std::string_view key, const UploadPlace& place,
                                            std::string_view text) {
  const auto id = from_text(text);
  if (!id || ((*id)[kVersionAt] & kVersionBits) != kVersion ||
      ((*id)[kVariantAt] & kVariantBits) != kVariant ||
      text_of(std::span(*id).subspan(kMacAt)) != mac_of(key, place, *id)) {
    return std::nullopt;
  }
  std::uint64_t seconds = 0;
  for (std::size_t i = 0; i < 4; ++i) {
    seconds = seconds << 8U | std::to_integer<std::uint64_t>((*id)[i]);
  }
  const bool sha512 = ((*id)[kVariantAt] & kSha512Bit) != std::byte{0};
  return UploadPromise{sha512 ? model::Algorithm::kSha512 : model::Algorithm::kSha256,
                       Time(std::chrono::seconds(seconds))};
}

}  // namespace roadstead::registry::internal
