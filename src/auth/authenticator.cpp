#include "auth/authenticator.h"

#include <condition_variable>
#include <string>
#include <unordered_set>
#include <utility>

#include "auth/basic_cache.h"
#include "auth/internal/sql_user.h"
#include "base/guarded.h"
#include "base/text.h"
#include "crypto/password.h"

namespace roadstead::auth {
namespace {

constexpr std::size_t kCredentialsMax = 2'048;

Error refuse(std::string_view why) {
  return {Code::kUnauthenticated, Subject::kUser, std::string(why), {}};
}

/// The two halves of an Authorization header.
struct Header {
  std::string_view scheme;
  std::string_view value;
};

Header parse_header(std::string_view authorization) {
  authorization = trim(authorization);
  const std::size_t blank = authorization.find(' ');
  if (blank == std::string_view::npos) {
    return {.scheme = authorization, .value = {}};
  }
  return {.scheme = authorization.substr(0, blank), .value = trim(authorization.substr(blank))};
}

struct Login {
  std::string name;
  std::string password;
};

std::optional<Login> parse_basic(std::string_view value) {
  if (value.size() > kCredentialsMax) {
    return std::nullopt;
  }
  auto text = from_base64(value);
  if (!text) {
    return std::nullopt;
  }
  const std::size_t colon = text->find(':');
  if (colon == std::string::npos || colon == 0) {
    return std::nullopt;
  }
  return Login{.name = text->substr(0, colon), .password = text->substr(colon + 1)};
}

/// Lets one thread at a time check the same credentials: the others find them remembered. So a
/// build machine that opens a hundred connections costs one hash.
class OneAtATime {
 public:
  class Turn {
   public:
    Turn(OneAtATime& owner, std::string key) : owner_(owner), key_(std::move(key)) {
      owner_.busy_.wait(
          owner_.freed_, [&](const auto& keys) { return !keys.contains(key_); },
          [&](auto& keys) { keys.insert(key_); });
    }
    ~Turn() {
      owner_.busy_.with([&](auto& keys) { keys.erase(key_); });
      owner_.freed_.notify_all();
    }
    Turn(const Turn&) = delete;
    Turn& operator=(const Turn&) = delete;

   private:
    OneAtATime& owner_;
    std::string key_;
  };

 private:
  Guarded<std::unordered_set<std::string>> busy_;
  std::condition_variable freed_;
};

class LocalAuthenticator final : public Authenticator {
 public:
  explicit LocalAuthenticator(const AuthenticatorParts& parts)
      : parts_(parts), remembered_(parts.clock) {}

  std::optional<Result<Principal>> try_authenticate(std::string_view authorization,
                                                    std::string_view client_address) override;
  Result<Principal> authenticate(std::string_view authorization,
                                 std::string_view client_address) override;

 private:
  Result<Principal> check_login(std::string_view value, std::string_view client_address);
  Result<std::optional<Credentials>> credentials_of(std::string_view login);
  Result<Principal> check_password(std::string_view value, const Login& login,
                                   const std::optional<Credentials>& stored,
                                   std::string_view client_address);
  void upgrade_hash(const Login& login, const Credentials& stored);

  AuthenticatorParts parts_;
  BasicCache remembered_;
  OneAtATime checking_;
};

Principal principal_of(UserId user, std::string name, std::int64_t credential_version) {
  Principal principal;
  principal.kind = Principal::Kind::kUser;
  principal.user = user;
  principal.name = std::move(name);
  principal.credential_version = credential_version;
  return principal;
}

std::optional<Result<Principal>> LocalAuthenticator::try_authenticate(
    std::string_view authorization, std::string_view /*client_address*/) {
  if (authorization.empty()) {
    return Principal{};
  }
  const Header header = parse_header(authorization);
  if (equals_ignoring_case(header.scheme, "bearer")) {
    return parts_.tokens.verify(header.value);
  }
  if (!equals_ignoring_case(header.scheme, "basic")) {
    return refuse("unsupported authorization scheme");
  }
  if (auto entry = remembered_.find(header.value)) {
    return principal_of(entry->user, std::move(entry->name), entry->credential_version);
  }
  if (!parse_basic(header.value)) {
    return refuse("malformed credentials");
  }
  return std::nullopt;
}

Result<Principal> LocalAuthenticator::authenticate(std::string_view authorization,
                                                   std::string_view client_address) {
  const Header header = parse_header(authorization);
  if (equals_ignoring_case(header.scheme, "basic")) {
    return check_login(header.value, client_address);
  }
  // Everything else is told without waiting.
  return *try_authenticate(authorization, client_address);
}

Result<std::optional<Credentials>> LocalAuthenticator::credentials_of(std::string_view login) {
  return parts_.database.read_once(
      [&](db::ReadSession& session) { return internal::select_credentials(session, login); });
}

Result<Principal> LocalAuthenticator::check_login(std::string_view value,
                                                  std::string_view client_address) {
  const auto login = parse_basic(value);
  if (!login) {
    return refuse("malformed credentials");
  }
  const OneAtATime::Turn turn(checking_, std::string(value));
  const auto stored = TRY(credentials_of(login->name));
  if (auto entry = remembered_.find(value)) {
    if (stored && stored->user == entry->user && stored->version == entry->credential_version) {
      return principal_of(entry->user, std::move(entry->name), entry->credential_version);
    }
    remembered_.forget(value);
  }
  TRY(parts_.throttle.admit(login->name, client_address));
  return check_password(value, *login, stored, client_address);
}

Result<Principal> LocalAuthenticator::check_password(std::string_view value, const Login& login,
                                                     const std::optional<Credentials>& stored,
                                                     std::string_view client_address) {
  // An unknown name costs what a known one does, so that names cannot be told apart by time.
  const std::string& hash = stored ? stored->password_hash : crypto::decoy_hash();
  const bool right = TRY(parts_.passwords.verify(login.password, hash));
  if (!right || !stored) {
    parts_.throttle.failed(login.name, client_address);
    parts_.logger.info("sign-in refused",
                       {{"address", client_address}, {"user", stored ? stored->user.value : 0}});
    return refuse("unauthorized");
  }
  parts_.throttle.succeeded(login.name, client_address);
  if (crypto::needs_rehash(stored->password_hash)) {
    upgrade_hash(login, *stored);
  }
  remembered_.remember(
      value, {.user = stored->user, .name = stored->name, .credential_version = stored->version});
  return principal_of(stored->user, stored->name, stored->version);
}

void LocalAuthenticator::upgrade_hash(const Login& login, const Credentials& stored) {
  const auto hash = parts_.passwords.hash(login.password);
  if (!hash) {
    return;  // The pool is busy: the next login will do it.
  }
  const auto written = parts_.database.write(
      [&](db::WriteSession& session) { return internal::upgrade_hash(session, stored, *hash); });
  if (!written) {
    parts_.logger.warning("could not upgrade a password hash",
                          {{"user", stored.user.value}, {"error", describe(written.error())}});
  }
}

}  // namespace

std::unique_ptr<Authenticator> make_authenticator(const AuthenticatorParts& parts) {
  return std::make_unique<LocalAuthenticator>(parts);
}

}  // namespace roadstead::auth
