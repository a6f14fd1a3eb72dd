#include <array>

#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>

#include "base/check.h"
#include "base/text.h"
#include "crypto/jwt.h"
#include "crypto/openssl.h"
#include "json/json.h"
#include "sys/process.h"

namespace roadstead::crypto {
namespace {

constexpr unsigned kBitsMin = 2048;
constexpr unsigned kBitsMax = 8192;
constexpr long kCertificateSeconds = 10L * 365 * 24 * 3600;
constexpr long kClockSkewSeconds = 3600;

Error refuse(std::string message) {
  return {Code::kInvalid, Subject::kConfiguration, std::move(message), {}};
}

// OpenSSL would ask for the password of an encrypted key on the terminal.
int no_password(char* /*buffer*/, int /*size*/, int /*writing*/, void* /*user*/) {
  return -1;
}

bool is_acceptable(const openssl::Key& key) {
  const int bits = EVP_PKEY_get_bits(key.get());
  return EVP_PKEY_is_a(key.get(), "RSA") == 1 && bits >= static_cast<int>(kBitsMin) &&
         bits <= static_cast<int>(kBitsMax);
}

void add_extension(X509* certificate, int nid, const char* value) {
  X509V3_CTX context;
  X509V3_set_ctx_nodb(&context);
  X509V3_set_ctx(&context, certificate, certificate, nullptr, nullptr, 0);
  const openssl::Extension extension(X509V3_EXT_conf_nid(nullptr, &context, nid, value));
  CHECK(extension && X509_add_ext(certificate, extension.get(), -1) == 1);
}

void set_serial(X509* certificate) {
  std::array<std::byte, 8> random{};
  sys::random_bytes(random);
  std::uint64_t serial = 0;
  for (const std::byte b : random) {
    serial = (serial << 8U) | std::to_integer<std::uint64_t>(b);
  }
  // Positive and not zero, as RFC 5280 wants it.
  CHECK(ASN1_INTEGER_set_uint64(X509_get_serialNumber(certificate), (serial >> 1U) | 1U) == 1);
}

void set_names(X509* certificate, std::string_view common_name) {
  CHECK(!common_name.empty() && common_name.size() <= 64);
  X509_NAME* const name = X509_get_subject_name(certificate);
  CHECK(X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8,
                                   reinterpret_cast<const unsigned char*>(common_name.data()),
                                   static_cast<int>(common_name.size()), -1, 0) == 1);
  CHECK(X509_set_issuer_name(certificate, name) == 1);
}

}  // namespace

struct SigningKey::Impl {
  openssl::Key key;
  std::string id;
};

SigningKey::SigningKey(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
SigningKey::SigningKey(SigningKey&&) noexcept = default;
SigningKey& SigningKey::operator=(SigningKey&&) noexcept = default;
SigningKey::~SigningKey() = default;

Result<SigningKey> SigningKey::generate(unsigned bits) {
  if (bits < kBitsMin || bits > kBitsMax) {
    return refuse("an RSA key has 2048 to 8192 bits");
  }
  const openssl::ErrorScope errors;
  openssl::Key key(EVP_RSA_gen(bits));
  CHECK(key);
  std::string id = openssl::key_id(key);
  return SigningKey(std::make_unique<Impl>(Impl{std::move(key), std::move(id)}));
}

Result<SigningKey> SigningKey::from_pem(std::string_view pem) {
  constexpr std::size_t kPemSizeMax = std::size_t{64} << 10U;
  if (pem.size() > kPemSizeMax) {
    return refuse("a PEM private key has at most 64 KiB");
  }
  const openssl::ErrorScope errors;
  const openssl::Bio bio = openssl::reader(pem);
  openssl::Key key(PEM_read_bio_PrivateKey(bio.get(), nullptr, no_password, nullptr));
  if (!key) {
    return refuse("not an unencrypted private key in PEM form");
  }
  if (!is_acceptable(key)) {
    return refuse("the signing key must be an RSA key of 2048 to 8192 bits");
  }
  std::string id = openssl::key_id(key);
  return SigningKey(std::make_unique<Impl>(Impl{std::move(key), std::move(id)}));
}

std::string SigningKey::to_pem() const {
  const openssl::Bio bio = openssl::collector();
  CHECK(PEM_write_bio_PKCS8PrivateKey(bio.get(), impl_->key.get(), nullptr, nullptr, 0, nullptr,
                                      nullptr) == 1);
  return openssl::collected(bio);
}

std::string SigningKey::public_pem() const {
  const openssl::Bio bio = openssl::collector();
  CHECK(PEM_write_bio_PUBKEY(bio.get(), impl_->key.get()) == 1);
  return openssl::collected(bio);
}

std::string SigningKey::certificate_pem(std::string_view common_name) const {
  const openssl::ErrorScope errors;
  const openssl::Certificate certificate(X509_new());
  CHECK(certificate && X509_set_version(certificate.get(), X509_VERSION_3) == 1);
  set_serial(certificate.get());
  set_names(certificate.get(), common_name);
  CHECK(X509_gmtime_adj(X509_getm_notBefore(certificate.get()), -kClockSkewSeconds) != nullptr);
  CHECK(X509_gmtime_adj(X509_getm_notAfter(certificate.get()), kCertificateSeconds) != nullptr);
  CHECK(X509_set_pubkey(certificate.get(), impl_->key.get()) == 1);
  add_extension(certificate.get(), NID_basic_constraints, "critical,CA:TRUE");
  add_extension(certificate.get(), NID_key_usage, "critical,digitalSignature,keyCertSign");
  CHECK(X509_sign(certificate.get(), impl_->key.get(), EVP_sha256()) > 0);
  const openssl::Bio bio = openssl::collector();
  CHECK(PEM_write_bio_X509(bio.get(), certificate.get()) == 1);
  return openssl::collected(bio);
}

const std::string& SigningKey::key_id() const {
  return impl_->id;
}

std::string SigningKey::sign(std::string_view text) const {
  const openssl::ErrorScope errors;
  const openssl::DigestContext context(EVP_MD_CTX_new());
  std::string signature(static_cast<std::size_t>(EVP_PKEY_get_size(impl_->key.get())), '\0');
  std::size_t size = signature.size();
  CHECK(context &&
        EVP_DigestSignInit(context.get(), nullptr, EVP_sha256(), nullptr, impl_->key.get()) == 1);
  CHECK(EVP_DigestSign(context.get(), reinterpret_cast<unsigned char*>(signature.data()), &size,
                       reinterpret_cast<const unsigned char*>(text.data()), text.size()) == 1);
  signature.resize(size);
  return signature;
}

std::string make_jwt(const SigningKey& key, std::string_view payload) {
  json::Writer header;
  header.begin_object();
  header.member("alg", "RS256");
  header.member("typ", "JWT");
  header.member("kid", key.key_id());
  header.end_object();
  std::string token = to_base64url(bytes_of(header.take()));
  token += '.';
  token += to_base64url(bytes_of(payload));
  const std::string signature = key.sign(token);
  token += '.';
  token += to_base64url(bytes_of(signature));
  return token;
}

}  // namespace roadstead::crypto
