#include "crypto/secret_box.h"

#include <array>

#include "base/check.h"
#include "base/text.h"
#include "crypto/openssl.h"
#include "sys/process.h"

namespace roadstead::crypto {
namespace {

// "v1:" and base64url of nonce, ciphertext and tag.
constexpr std::string_view kFormat = "v1:";
constexpr std::size_t kNonceSize = 12;
constexpr std::size_t kTagSize = 16;
constexpr std::size_t kPlaintextSizeMax = std::size_t{1} << 20U;
constexpr std::size_t kSealedSizeMax = kPlaintextSizeMax * 3 / 2;

const unsigned char* data_of(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}

unsigned char* data_of(std::string& text) {
  return reinterpret_cast<unsigned char*>(text.data());
}

Error refuse() {
  return {Code::kInvalid, Subject::kNone, "the secret cannot be decrypted with this key", {}};
}

// A fresh random nonce each time: few secrets are sealed under one key, so 96 bits do not repeat.
std::string new_nonce() {
  std::array<std::byte, kNonceSize> nonce{};
  sys::random_bytes(nonce);
  return std::string(text_of(nonce));
}

}  // namespace

std::string new_secret_key() {
  std::array<std::byte, kSecretKeySize> key{};
  sys::random_bytes(key);
  return std::string(text_of(key));
}

std::string seal(std::string_view key, std::string_view plaintext, std::string_view context) {
  CHECK(key.size() == kSecretKeySize && plaintext.size() <= kPlaintextSizeMax);
  const openssl::CipherContext cipher(EVP_CIPHER_CTX_new());
  const std::string nonce = new_nonce();
  std::string text(plaintext.size(), '\0');
  std::string tag(kTagSize, '\0');
  int size = 0;
  CHECK(cipher && EVP_EncryptInit_ex2(cipher.get(), EVP_aes_256_gcm(), data_of(key),
                                      data_of(std::string_view(nonce)), nullptr) == 1);
  CHECK(EVP_EncryptUpdate(cipher.get(), nullptr, &size, data_of(context),
                          static_cast<int>(context.size())) == 1);
  CHECK(EVP_EncryptUpdate(cipher.get(), data_of(text), &size, data_of(plaintext),
                          static_cast<int>(plaintext.size())) == 1);
  CHECK(EVP_EncryptFinal_ex(cipher.get(), data_of(tag), &size) == 1 && size == 0);
  CHECK(EVP_CIPHER_CTX_ctrl(cipher.get(), EVP_CTRL_GCM_GET_TAG, kTagSize, tag.data()) == 1);
  return std::string(kFormat) + to_base64url(bytes_of(nonce + text + tag));
}

Result<std::string> open(std::string_view key, std::string_view sealed, std::string_view context) {
  CHECK(key.size() == kSecretKeySize);
  if (sealed.size() > kSealedSizeMax || !sealed.starts_with(kFormat)) {
    return refuse();
  }
  const auto bytes = from_base64url(sealed.substr(kFormat.size()));
  if (!bytes || bytes->size() < kNonceSize + kTagSize) {
    return refuse();
  }
  const std::string_view nonce = std::string_view(*bytes).substr(0, kNonceSize);
  const std::string_view text =
      std::string_view(*bytes).substr(kNonceSize, bytes->size() - kNonceSize - kTagSize);
  std::string tag = bytes->substr(bytes->size() - kTagSize);
  std::string plaintext(text.size(), '\0');
  int size = 0;

  const openssl::ErrorScope errors;
  const openssl::CipherContext cipher(EVP_CIPHER_CTX_new());
  CHECK(cipher && EVP_DecryptInit_ex2(cipher.get(), EVP_aes_256_gcm(), data_of(key), data_of(nonce),
                                      nullptr) == 1);
  CHECK(EVP_DecryptUpdate(cipher.get(), nullptr, &size, data_of(context),
                          static_cast<int>(context.size())) == 1);
  CHECK(EVP_DecryptUpdate(cipher.get(), data_of(plaintext), &size, data_of(text),
                          static_cast<int>(text.size())) == 1);
  CHECK(EVP_CIPHER_CTX_ctrl(cipher.get(), EVP_CTRL_GCM_SET_TAG, kTagSize, tag.data()) == 1);
  std::array<unsigned char, kTagSize> none{};
  if (EVP_DecryptFinal_ex(cipher.get(), none.data(), &size) != 1) {
    return refuse();
  }
  return plaintext;
}

}  // namespace roadstead::crypto
