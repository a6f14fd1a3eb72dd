#include "auth/signing_key.h"

#include <optional>
#include <string>

#include "crypto/secret_box.h"
#include "sys/file.h"

namespace roadstead::auth {
namespace {

constexpr std::string_view kProperty = "token_signing_key";
constexpr std::string_view kContext = "property.token_signing_key";
constexpr unsigned kKeyBits = 2048;
constexpr std::size_t kPemSizeMax = std::size_t{64} << 10U;

Result<std::optional<std::string>> select_sealed(db::ReadSession& session) {
  return session.first("SELECT value FROM property WHERE name = ?", {kProperty},
                       [](const db::Row& row) { return std::string(row.text(0)); });
}

/// Stores `sealed` unless another server was faster; returns what counts.
Result<std::string> store(db::Database& database, const std::string& sealed) {
  return database.write([&](db::WriteSession& session) -> Result<std::string> {
    auto stored = TRY(select_sealed(session));
    if (stored) {
      return std::move(*stored);
    }
    TRY(session.execute("INSERT INTO property (name, value, update_time) VALUES (?, ?, ?)",
                        {kProperty, sealed, session.now()}));
    return sealed;
  });
}

}  // namespace

Result<crypto::SigningKey> load_signing_key(db::Database& database, std::string_view secret_key) {
  auto sealed = TRY(database.read([](db::ReadSession& session) { return select_sealed(session); }));
  if (!sealed) {
    const crypto::SigningKey fresh = TRY(crypto::SigningKey::generate(kKeyBits));
    const std::string fresh_sealed = crypto::seal(secret_key, fresh.to_pem(), kContext);
    sealed = TRY(store(database, fresh_sealed));
  }
  const auto pem = crypto::open(secret_key, *sealed, kContext);
  if (!pem) {
    return Error{Code::kPrecondition,
                 Subject::kToken,
                 "the key that signs tokens cannot be opened: the secret key is not the one that "
                 "this database was set up with",
                 {}};
  }
  return crypto::SigningKey::from_pem(*pem);
}

Result<crypto::SigningKey> read_signing_key(const std::filesystem::path& path) {
  const std::string pem = TRY(sys::read_file(path, kPemSizeMax));
  return crypto::SigningKey::from_pem(pem);
}

}  // namespace roadstead::auth
