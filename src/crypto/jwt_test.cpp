#include "crypto/jwt.h"

#include <atomic>
#include <thread>

#include <gtest/gtest.h>
#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

#include "base/text.h"
#include "crypto/hasher.h"
#include "crypto/openssl.h"

namespace roadstead::crypto {
namespace {

const std::string kPayload = R"({"iss":"x","sub":"admin","exp":1})";

// Making a key takes a while; the tests share one.
const SigningKey& key() {
  static const SigningKey one = SigningKey::generate(2048).value();
  return one;
}

const JwtVerifier& verifier() {
  static const JwtVerifier one({key().public_pem()});
  return one;
}

std::string encode(std::string_view text) {
  return to_base64url(bytes_of(text));
}

// A token with any header, signed with the right key.
std::string signed_with(const std::string& header) {
  const std::string text = encode(header) + "." + encode(kPayload);
  return text + "." + encode(key().sign(text));
}

std::string header_with(const std::string& alg, const std::string& more = "") {
  return R"({"alg":")" + alg + R"(","typ":"JWT","kid":")" + key().key_id() + "\"" + more + "}";
}

void expect_refused(const std::string& token, const char* why) {
  const auto result = verifier().verify(token);
  ASSERT_FALSE(result) << why;
  EXPECT_EQ(result.error().code, Code::kUnauthenticated) << why;
  EXPECT_EQ(result.error().subject, Subject::kToken) << why;
  EXPECT_EQ(ERR_peek_error(), 0U) << "errors left on the queue: " << why;
}

TEST(Jwt, RoundTrip) {
  const std::string token = make_jwt(key(), kPayload);
  EXPECT_EQ(verifier().verify(token).value(), kPayload);
  EXPECT_EQ(from_base64url(token.substr(0, token.find('.'))), header_with("RS256"));
  EXPECT_TRUE(verifier().verify(signed_with(header_with("RS256"))));
}

TEST(Jwt, SeveralKeysAreChosenByKid) {
  const auto other = SigningKey::generate(2048).value();
  const JwtVerifier both({key().public_pem(), other.public_pem()});
  EXPECT_TRUE(both.verify(make_jwt(key(), kPayload)));
  EXPECT_TRUE(both.verify(make_jwt(other, kPayload)));
  expect_refused(make_jwt(other, kPayload), "unknown kid");
  // The kid of a trusted key over a signature of another one.
  const std::string text = encode(header_with("RS256")) + "." + encode(kPayload);
  expect_refused(text + "." + encode(other.sign(text)), "foreign signature under our kid");
}

TEST(Jwt, Attacks) {
  const std::string good = make_jwt(key(), kPayload);
  const std::string head = good.substr(0, good.find('.'));
  const std::string body = good.substr(0, good.rfind('.'));
  const std::string signature = good.substr(good.rfind('.') + 1);

  expect_refused(encode(header_with("none")) + "." + encode(kPayload) + ".", "alg none");
  expect_refused(signed_with(header_with("none")), "alg none, signed");
  expect_refused(signed_with(header_with("None")), "alg None");
  const std::string hs256 = encode(header_with("HS256")) + "." + encode(kPayload);
  expect_refused(hs256 + "." + encode(hmac_sha256(key().public_pem(), hs256)),
                 "HS256 with the public key");
  expect_refused(signed_with(header_with("RS384")), "RS384");
  expect_refused(signed_with(header_with("rs256")), "alg in lower case");
  expect_refused(signed_with(R"({"typ":"JWT","kid":")" + key().key_id() + "\"}"), "no alg");
  expect_refused(signed_with(R"({"alg":["RS256"],"kid":")" + key().key_id() + "\"}"), "alg array");
  expect_refused(signed_with(R"({"alg":"RS256","typ":"JWT"})"), "no kid");
  expect_refused(signed_with(R"({"alg":"RS256","kid":7})"), "kid number");
  expect_refused(signed_with(R"({"alg":"RS256","kid":"../../etc/passwd"})"), "kid path");
  expect_refused(signed_with(header_with("RS256", R"(,"crit":["b64"],"b64":false)")), "crit");
  expect_refused(signed_with(header_with("RS256", R"(,"alg":"none")")), "two alg");
  expect_refused(signed_with(R"({"alg":"RS256","typ":"X","kid":")" + key().key_id() + "\"}"),
                 "typ");
  expect_refused(signed_with("[]"), "header array");
  expect_refused(signed_with("{"), "header junk");
  expect_refused(signed_with(""), "header empty");
  expect_refused(signed_with(header_with("RS256", "," + std::string(5000, ' ') + "\"x\":1")),
                 "long header");
  expect_refused(body + ".", "signature empty");
  expect_refused(body, "two parts");
  expect_refused(head, "one part");
  expect_refused("", "nothing");
  expect_refused("..", "dots");
  expect_refused(good + ".", "four parts");
  expect_refused(good + ".x", "four parts");
  expect_refused(good + "=", "padding");
  expect_refused(" " + good, "space before");
  expect_refused(good + "\n", "line end");
  expect_refused("Bearer " + good, "with scheme");
  expect_refused(head + "." + encode(R"({"sub":"root"})") + "." + signature, "payload changed");
  expect_refused(std::string(100'000, 'a'), "long junk");
  expect_refused(make_jwt(key(), std::string(kTokenSizeMax, 'x')), "long token, signed");
}

TEST(Jwt, NoByteOfATokenMayChange) {
  const std::string good = make_jwt(key(), kPayload);
  for (std::size_t i = 0; i < good.size(); ++i) {
    std::string bad = good;
    bad[i] = bad[i] == 'A' ? 'B' : 'A';
    ASSERT_FALSE(verifier().verify(bad)) << i;
    ASSERT_FALSE(verifier().verify(good.substr(0, i))) << i;
  }
}

TEST(Jwt, KeyAndVerifierServeManyThreads) {
  std::vector<std::thread> threads;
  std::atomic<int> good = 0;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&good] {
      for (int i = 0; i < 20; ++i) {
        const std::string payload = std::to_string(i);
        const auto read = verifier().verify(make_jwt(key(), payload));
        good += read && *read == payload ? 1 : 0;
      }
    });
  }
  for (std::thread& thread : threads) {
    thread.join();
  }
  EXPECT_EQ(good, 80);
}

TEST(SigningKey, PemRoundTrip) {
  const auto again = SigningKey::from_pem(key().to_pem()).value();
  EXPECT_EQ(again.key_id(), key().key_id());
  EXPECT_EQ(again.to_pem(), key().to_pem());
  EXPECT_EQ(again.sign("x"), key().sign("x"));
  EXPECT_TRUE(key().to_pem().starts_with("-----BEGIN PRIVATE KEY-----\n"));
  EXPECT_TRUE(key().public_pem().starts_with("-----BEGIN PUBLIC KEY-----\n"));
  EXPECT_TRUE(verifier().verify(make_jwt(again, kPayload)));
}

// The key as PKCS #8, encrypted when there is a password.
std::string pem_of(const openssl::Key& any, std::string password = {}) {
  const openssl::Bio bio = openssl::collector();
  EXPECT_EQ(PEM_write_bio_PKCS8PrivateKey(
                bio.get(), any.get(), password.empty() ? nullptr : EVP_aes_256_cbc(),
                password.data(), static_cast<int>(password.size()), nullptr, nullptr),
            1);
  return openssl::collected(bio);
}

TEST(SigningKey, RefusesOtherKeys) {
  EXPECT_FALSE(SigningKey::generate(1024));
  EXPECT_FALSE(SigningKey::generate(1U << 20U));
  const std::string bad[] = {
      {},
      "x",
      std::string(100'000, 'x'),
      key().public_pem(),
      key().to_pem().substr(0, 500),
      pem_of(openssl::Key(EVP_EC_gen("P-256"))),
      pem_of(openssl::Key(EVP_RSA_gen(1024))),
      pem_of(openssl::Key(EVP_RSA_gen(2048)), "password"),
  };
  for (const std::string& pem : bad) {
    const auto result = SigningKey::from_pem(pem);
    ASSERT_FALSE(result) << pem;
    EXPECT_EQ(result.error().code, Code::kInvalid);
    EXPECT_EQ(ERR_peek_error(), 0U);
  }
}

// Computed from the same key with openssl and base32.
TEST(SigningKey, KeyIdIsThatOfLibtrust) {
  const openssl::Bio bio = openssl::reader(
      "-----BEGIN PUBLIC KEY-----\n"
      "MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEArOt0eyy7Juq/oeXUYn3T\n"
      "AYmvKs8SFYrYrvJiGTUNWq2OvPSR1PdMzHjRcJAnHUnzViP+7nisFePN1H7UEU2z\n"
      "/bfXbo1IDCueRm+70qf51E+UzMTxdN1wL4h1B+3/oeg1orwMpDHOGFt/iiRzt6SD\n"
      "ikwcoccbiqf8AmB1Bass1//z2RyuEl9Cr3GiWb1DILL+Lm2OE75AX3Dd8axDS7pk\n"
      "1T8biTW1OgPmVDqaPpdfOsNhWAXUe0ek34N5LZ8nm+mM0xsCeeXXs6KNcL/GoSCs\n"
      "i18OYLc/Kl/pk+ur05cYLDvel/7FnCvrNeVgWcAJrsHVZz7V/6cCXUkKtKZC8HY6\n"
      "PQIDAQAB\n"
      "-----END PUBLIC KEY-----\n");
  const openssl::Key known(PEM_read_bio_PUBKEY(bio.get(), nullptr, nullptr, nullptr));
  EXPECT_EQ(openssl::key_id(known), "6V4V:J463:FWF4:67EF:3EVU:XYJD:ARBN:M7NJ:N7QV:76TH:E6W4:DZ7T");
  EXPECT_EQ(key().key_id().size(), 12 * 4 + 11U);
}

TEST(SigningKey, CertificateHoldsTheKey) {
  const std::string pem = key().certificate_pem("roadstead token service");
  const openssl::Bio bio = openssl::reader(pem);
  const openssl::Certificate certificate(PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr));
  ASSERT_TRUE(certificate);
  const openssl::Key inside(X509_get_pubkey(certificate.get()));
  EXPECT_EQ(X509_verify(certificate.get(), inside.get()), 1);
  EXPECT_EQ(openssl::key_id(inside), key().key_id());
  EXPECT_LT(X509_cmp_current_time(X509_get0_notBefore(certificate.get())), 0);
  EXPECT_GT(X509_cmp_current_time(X509_get0_notAfter(certificate.get())), 0);
}

}  // namespace
}  // namespace roadstead::crypto
