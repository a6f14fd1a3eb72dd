#include "crypto/openssl.h"

#include <array>

#include <openssl/sha.h>

#include "base/check.h"

namespace roadstead::crypto::openssl {
namespace {

// RFC 4648 base32; `bytes` is a multiple of five, so there is no padding.
std::string to_base32(std::string_view bytes) {
  static constexpr std::string_view kAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
  std::string out;
  unsigned bits = 0;
  unsigned count = 0;
  for (const char c : bytes) {
    bits = (bits << 8U) | static_cast<unsigned char>(c);
    for (count += 8; count >= 5; count -= 5) {
      out += kAlphabet[(bits >> (count - 5)) & 31U];
    }
    bits &= (1U << count) - 1U;
  }
  return out;
}

}  // namespace

Bio reader(std::string_view text) {
  CHECK(text.size() <= std::size_t{1} << 20U);
  Bio bio(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
  CHECK(bio);
  return bio;
}

Bio collector() {
  Bio bio(BIO_new(BIO_s_mem()));
  CHECK(bio);
  return bio;
}

std::string collected(const Bio& bio) {
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio.get(), &data);
  CHECK(size >= 0);
  return {data, static_cast<std::size_t>(size)};
}

std::string key_id(const Key& key) {
  const Bio der = collector();
  CHECK(i2d_PUBKEY_bio(der.get(), key.get()) == 1);
  const std::string info = collected(der);
  std::array<unsigned char, SHA256_DIGEST_LENGTH> hash{};
  SHA256(reinterpret_cast<const unsigned char*>(info.data()), info.size(), hash.data());
  const std::string id = to_base32({reinterpret_cast<const char*>(hash.data()), 30});
  std::string out;
  for (std::size_t i = 0; i < id.size(); i += 4) {
    out += (i == 0 ? "" : ":") + id.substr(i, 4);
  }
  return out;
}

}  // namespace roadstead::crypto::openssl
