#include "db/internal/mysql_url.h"

#include <utility>

#include <fmt/format.h>

#include "base/text.h"

namespace roadstead::db::internal {
namespace {

constexpr std::string_view kScheme = "mysql://";

Error bad_url(std::string message) {
  return Error{Code::kInvalid, Subject::kDatabase, "database URL: " + std::move(message), {}};
}

Result<std::string> decoded(std::string_view text, std::string_view what) {
  std::string plain;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      plain += text[i];
      continue;
    }
    const auto byte = i + 2 < text.size() ? from_hex(text.substr(i + 1, 2)) : std::nullopt;
    if (!byte || byte->front() == std::byte{0}) {
      return bad_url(fmt::format("a bad escape in the {}", what));
    }
    plain += static_cast<char>(byte->front());
    i += 2;
  }
  return plain;
}

Result<void> take_host(MysqlAddress& address, std::string_view place) {
  // An IPv6 address stands in brackets, as its colons are no port.
  std::string_view port;
  std::string_view host = place;
  const std::size_t bracket = place.starts_with('[') ? place.find(']') : std::string_view::npos;
  if (bracket != std::string_view::npos) {
    host = place.substr(1, bracket - 1);
    port = place.substr(bracket + 1);
  } else if (const std::size_t colon = place.find(':'); colon != std::string_view::npos) {
    host = place.substr(0, colon);
    port = place.substr(colon);
  }
  if (!host.empty()) {
    address.host = TRY(decoded(host, "host"));
  }
  if (!port.empty()) {
    const auto number = port.starts_with(':') ? parse_uint64(port.substr(1)) : std::nullopt;
    if (!number || *number == 0 || *number > UINT16_MAX) {
      return bad_url("the port must be a number from 1 to 65535");
    }
    address.port = static_cast<std::uint16_t>(*number);
  }
  return {};
}

Result<MysqlAddress::Tls> tls_mode(std::string_view name) {
  const std::string mode = to_lower(name);
  if (mode == "disabled") {
    return MysqlAddress::Tls::kNone;
  }
  if (mode == "required") {
    return MysqlAddress::Tls::kRequired;
  }
  if (mode == "verify_identity") {
    return MysqlAddress::Tls::kVerified;
  }
  return bad_url("ssl-mode must be disabled, required or verify_identity");
}

Result<void> take_options(MysqlAddress& address, std::string_view query) {
  bool tls_named = false;
  for (const std::string_view option : split(query, '&')) {
    const std::size_t equals = option.find('=');
    const std::string_view name = option.substr(0, equals);
    const std::string value = TRY(decoded(
        equals == std::string_view::npos ? std::string_view() : option.substr(equals + 1), name));
    if (name == "ssl-mode") {
      address.tls = TRY(tls_mode(value));
      tls_named = true;
    } else if (name == "socket") {
      address.socket = value;
    } else if (name == "ssl-ca") {
      address.tls_authority = value;
    } else if (name == "ssl-cert") {
      address.tls_certificate = value;
    } else if (name == "ssl-key") {
      address.tls_key = value;
    } else if (name == "server-public-key-path") {
      address.server_public_key = value;
    } else {
      return bad_url(fmt::format("unknown option {}", name));
    }
  }
  const bool files = !address.tls_authority.empty() || !address.tls_certificate.empty();
  if (files && tls_named && address.tls == MysqlAddress::Tls::kNone) {
    return bad_url("ssl-mode=disabled does not go with certificates");
  }
  if (files && !tls_named) {
    address.tls = MysqlAddress::Tls::kVerified;
  }
  return {};
}

}  // namespace

Result<MysqlAddress> parse_mysql_url(std::string_view url) {
  if (!url.starts_with(kScheme)) {
    return bad_url("must begin with mysql://");
  }
  url.remove_prefix(kScheme.size());
  const std::size_t question = url.find('?');
  const std::string_view before = url.substr(0, question);
  const std::size_t slash = before.find('/');
  const std::string_view authority = before.substr(0, slash);
  MysqlAddress address;
  const std::size_t at = authority.rfind('@');
  if (at != std::string_view::npos) {
    const std::string_view who = authority.substr(0, at);
    const std::size_t colon = who.find(':');
    address.user = TRY(decoded(who.substr(0, colon), "user"));
    if (colon != std::string_view::npos) {
      address.password = TRY(decoded(who.substr(colon + 1), "password"));
    }
  }
  TRY(take_host(address, at == std::string_view::npos ? authority : authority.substr(at + 1)));
  if (slash != std::string_view::npos) {
    address.database = TRY(decoded(before.substr(slash + 1), "database"));
  }
  if (address.user.empty() || address.database.empty()) {
    return bad_url("a user and a database are needed: mysql://user:password@host:port/database");
  }
  if (question != std::string_view::npos && question + 1 < url.size()) {
    TRY(take_options(address, url.substr(question + 1)));
  }
  return address;
}

}  // namespace roadstead::db::internal
