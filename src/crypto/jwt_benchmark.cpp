#include <benchmark/benchmark.h>

#include "crypto/jwt.h"

namespace roadstead::crypto {
namespace {

constexpr std::string_view kClaims =
    R"({"iss":"harbor-token-issuer","sub":"alice","aud":"harbor-registry","exp":1700001800,)"
    R"("nbf":1700000000,"iat":1700000000,"jti":"0123456789abcdef","access":[{"type":"repository",)"
    R"("name":"library/app","actions":["pull","push","delete"]}]})";

/// A token seen for the first time: one RSA verification.
void jwt_verify(benchmark::State& state) {
  const SigningKey key = SigningKey::generate(2048).value();
  const JwtVerifier verifier({key.public_pem()});
  const std::string token = make_jwt(key, kClaims);
  for (auto _ : state) {
    benchmark::DoNotOptimize(verifier.verify(token).value());
  }
}
BENCHMARK(jwt_verify);

/// What a token costs at least to issue: one RSA signature.
void jwt_sign(benchmark::State& state) {
  const SigningKey key = SigningKey::generate(2048).value();
  for (auto _ : state) {
    benchmark::DoNotOptimize(make_jwt(key, kClaims));
  }
}
BENCHMARK(jwt_sign);

}  // namespace
}  // namespace roadstead::crypto
