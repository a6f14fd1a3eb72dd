#include "auth/token_service.h"

#include <array>
#include <cstdint>
#include <utility>

#include "auth/internal/lru_map.h"
#include "auth/internal/token_claims.h"
#include "base/guarded.h"
#include "crypto/hasher.h"

namespace roadstead::auth {
namespace {

// Other servers that share the key may be ahead of this one by so much.
constexpr std::chrono::seconds kNotBeforeLeeway{60};
constexpr std::chrono::seconds kExpiryLeeway{5};
// Several small locks instead of one that every request takes.
constexpr std::size_t kShards = 16;

struct Remembered {
  // Owned by the table and by whoever is copying it out after the lock was released.
  std::shared_ptr<const Principal> principal;
  Time expires_at;
};
using Table = Guarded<internal::LruMap<Remembered>>;

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
        lifetime(options.lifetime) {
    for (std::unique_ptr<Table>& table : tables) {
      table = std::make_unique<Table>(options.remembered_max / kShards + 1);
    }
  }

  Table& table_of(std::string_view hash) {
    return *tables.at(std::hash<std::string_view>{}(hash) % kShards);
  }

  const Clock& clock;
  crypto::SigningKey key;
  crypto::JwtVerifier verifier;
  std::chrono::seconds lifetime;
  std::array<std::unique_ptr<Table>, kShards> tables;
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
  const std::string hash = crypto::hex_digest(crypto::HashAlgorithm::kSha256, token);
  const Time now = state_->clock.now();
  Table& table = state_->table_of(hash);
  const std::shared_ptr<const Principal> known =
      table.with([&](auto& entries) -> std::shared_ptr<const Principal> {
        const Remembered* entry = entries.find(hash);
        return entry != nullptr && now < entry->expires_at ? entry->principal : nullptr;
      });
  if (known) {
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
  table.with([&](auto& entries) {
    entries.put(hash, Remembered{principal, claims.expires_at + kExpiryLeeway});
  });
  return *principal;
}

}  // namespace roadstead::auth
