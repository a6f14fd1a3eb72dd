#include "auth/token_service.h"

#include <utility>

#include "auth/internal/token_cache.h"
#include "auth/internal/token_claims.h"

namespace roadstead::auth {
namespace {

// Replicas that share the key may be ahead of this one by so much.
constexpr std::chrono::minutes kNotBeforeLeeway{5};
constexpr std::chrono::seconds kExpiryLeeway{5};

Error refuse(std::string_view why) {
  return {Code::kUnauthenticated, Subject::kToken, std::string(why), {}};
}

std::vector<std::string> public_keys(const crypto::SigningKey& key,
                                     const std::vector<std::string>& more) {
  std::vector<std::string> keys{key.public_pem()};
  keys.insert(keys.end(), more.begin(), more.end());
  return keys;
}

}  // namespace

RequestedScope parse_scope(std::string_view text) {
  const std::size_t first = text.find(':');
  if (first == std::string_view::npos) {
    return {.type = std::string(text), .name = {}};
  }
  const std::string_view rest = text.substr(first + 1);
  const std::size_t last = rest.rfind(':');
  const std::string_view name = last == std::string_view::npos ? rest : rest.substr(0, last);
  return {.type = std::string(text.substr(0, first)), .name = std::string(name)};
}

struct TokenService::State {
  State(const Clock& c, crypto::SigningKey k, const Options& options)
      : clock(c),
        key(std::move(k)),
        verifier(public_keys(key, options.more_public_keys)),
        lifetime(options.lifetime),
        verified(options.remembered_bytes_max) {}

  const Clock& clock;
  crypto::SigningKey key;
  crypto::JwtVerifier verifier;
  std::chrono::seconds lifetime;
  internal::TokenCache verified;
};

TokenService::TokenService(const Clock& clock, crypto::SigningKey key, const Options& options)
    : state_(std::make_unique<State>(clock, std::move(key), options)) {}
TokenService::~TokenService() = default;

IssuedToken TokenService::issue(const Principal& caller, std::span<const Access> access) const {
  const Time now = std::chrono::floor<std::chrono::seconds>(state_->clock.now());
  const std::string payload = internal::write_claims(caller, access, now, state_->lifetime);
  return {.token = crypto::make_jwt(state_->key, payload),
          .lifetime = state_->lifetime,
          .issued_at = now};
}

Result<Principal> TokenService::verify(std::string_view token) {
  const Time now = state_->clock.now();
  if (const auto known = state_->verified.find(token, now)) {
    return *known;
  }
  const std::string payload = TRY(state_->verifier.verify(token));
  internal::Claims claims = TRY(internal::read_claims(payload));
  if (claims.issuer != kIssuer || !claims.for_audience(kAudience)) {
    return refuse("the token was not made by or for this registry");
  }
  if (now >= claims.expires_at + kExpiryLeeway) {
    return refuse("the token has expired");
  }
  if (now + kNotBeforeLeeway < claims.not_before) {
    return refuse("the token is not valid yet");
  }
  auto principal = std::make_shared<const Principal>(std::move(claims.principal));
  state_->verified.remember(token, principal, claims.expires_at + kExpiryLeeway);
  return *principal;
}

TokenService::Statistics TokenService::statistics() const {
  return {.remembered = state_->verified.hits(), .verified = state_->verified.misses()};
}

}  // namespace roadstead::auth
