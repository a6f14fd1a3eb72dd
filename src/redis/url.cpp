#include "redis/url.h"

#include <utility>

#include <fmt/format.h>

#include "base/text.h"

namespace roadstead::redis {
namespace {

constexpr std::uint16_t kServerPort = 6379;
constexpr std::uint16_t kSentinelPort = 26'379;
/// More are no better: each of them may cost a time-out before the next one is asked.
constexpr std::size_t kSentinelsMax = 16;
constexpr std::uint64_t kDatabaseMax = 65'535;
constexpr std::uint64_t kPoolMax = 1'024;
/// Whoever waits longer for what may as well be missing does not want it.
constexpr std::uint64_t kMillisecondsMax = 10'000;

Error bad_url(std::string_view message) {
  return Error{Code::kInvalid, Subject::kConfiguration, fmt::format("redis URL: {}", message), {}};
}

Result<std::string> decode(std::string_view what, std::string_view text) {
  std::string decoded;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      decoded += text[i];
      continue;
    }
    const auto byte = from_hex(text.substr(i + 1, 2));
    if (!byte || byte->size() != 1) {
      return bad_url(fmt::format("{}: % must be followed by two hexadecimal digits", what));
    }
    decoded += static_cast<char>(byte->front());
    i += 2;
  }
  if (decoded.find('\0') != std::string::npos) {
    return bad_url(fmt::format("{}: must not hold a zero byte", what));
  }
  return decoded;
}

Result<std::uint64_t> number(std::string_view what, std::string_view text, std::uint64_t min,
                             std::uint64_t max) {
  const auto value = parse_uint64(text);
  if (!value || *value < min || *value > max) {
    return bad_url(fmt::format("{} must be a number from {} to {}", what, min, max));
  }
  return *value;
}

Result<Endpoint> parse_endpoint(std::string_view text, std::uint16_t default_port) {
  Endpoint endpoint;
  std::string_view port;
  bool has_port = false;
  if (text.starts_with('[')) {
    const std::size_t close = text.find(']');
    if (close == std::string_view::npos) {
      return bad_url("an IPv6 address lacks its closing bracket");
    }
    endpoint.host = text.substr(1, close - 1);
    const std::string_view rest = text.substr(close + 1);
    if (!rest.empty() && !rest.starts_with(':')) {
      return bad_url("expected :port after an IPv6 address");
    }
    has_port = !rest.empty();
    port = has_port ? rest.substr(1) : rest;
  } else {
    const std::size_t colon = text.find(':');
    has_port = colon != std::string_view::npos;
    endpoint.host = text.substr(0, colon);
    port = has_port ? text.substr(colon + 1) : std::string_view();
  }
  if (endpoint.host.empty()) {
    return bad_url("a host is missing");
  }
  endpoint.port = has_port ? static_cast<std::uint16_t>(TRY(number("a port", port, 1, UINT16_MAX)))
                           : default_port;
  return endpoint;
}

Result<void> take_option(Options& options, std::string_view key, std::string_view value) {
  if (key == "pool_size") {
    options.pool_size = TRY(number(key, value, 1, kPoolMax));
  } else if (key == "connect_ms") {
    options.connect_time = std::chrono::milliseconds(TRY(number(key, value, 1, kMillisecondsMax)));
  } else if (key == "command_ms") {
    options.command_time = std::chrono::milliseconds(TRY(number(key, value, 1, kMillisecondsMax)));
  } else if (key == "sentinel_password") {
    options.sentinel_password = TRY(decode(key, value));
  } else if (key == "ca") {
    options.ca_file = TRY(decode(key, value));
  } else if (key == "certificate") {
    options.certificate_file = TRY(decode(key, value));
  } else if (key == "key") {
    options.key_file = TRY(decode(key, value));
  } else {
    return bad_url(
        "an option is unknown: there are ca, certificate, key, sentinel_password, pool_size, "
        "connect_ms and command_ms");
  }
  return {};
}

Result<void> take_query(Options& options, std::string_view query) {
  for (const std::string_view option : split(query, '&')) {
    const std::size_t equals = option.find('=');
    if (equals == std::string_view::npos) {
      return bad_url("an option lacks its =");
    }
    TRY(take_option(options, option.substr(0, equals), option.substr(equals + 1)));
  }
  const bool files =
      !options.ca_file.empty() || !options.certificate_file.empty() || !options.key_file.empty();
  if (files && !options.tls) {
    return bad_url("ca, certificate and key are for rediss:// and rediss+sentinel://");
  }
  if (options.certificate_file.empty() != options.key_file.empty()) {
    return bad_url("certificate and key go together");
  }
  if (!options.sentinel_password.empty() && options.master.empty()) {
    return bad_url("sentinel_password is for redis+sentinel:// and rediss+sentinel://");
  }
  return {};
}

Result<void> take_user(Options& options, std::string_view user_info) {
  const std::size_t colon = user_info.find(':');
  if (colon == std::string_view::npos) {
    return bad_url("expected user:password or :password in front of @");
  }
  options.user = TRY(decode("the user", user_info.substr(0, colon)));
  options.password = TRY(decode("the password", user_info.substr(colon + 1)));
  if (options.password.empty()) {
    return bad_url("the password in front of @ is empty");
  }
  return {};
}

/// The scheme is taken off; what is left of "scheme://".
Result<std::string_view> take_scheme(std::string_view url, Options& options, bool& sentinel) {
  const std::size_t end = url.find("://");
  const std::string_view scheme = url.substr(0, end);
  options.tls = scheme.starts_with("rediss");
  sentinel = scheme.ends_with("+sentinel");
  if (end == std::string_view::npos ||
      (scheme != "redis" && scheme != "rediss" && scheme != "redis+sentinel" &&
       scheme != "rediss+sentinel")) {
    return bad_url("must begin with redis://, rediss://, redis+sentinel:// or rediss+sentinel://");
  }
  return url.substr(end + 3);
}

}  // namespace

Result<Options> parse_url(std::string_view url) {
  Options options;
  bool sentinel = false;
  const std::string_view rest = TRY(take_scheme(url, options, sentinel));
  const std::size_t question = rest.find('?');
  const std::string_view before_query = rest.substr(0, question);
  const std::size_t slash = before_query.find('/');
  std::string_view authority = before_query.substr(0, slash);
  const std::string_view path =
      slash == std::string_view::npos ? std::string_view() : before_query.substr(slash + 1);
  // Such a password would be taken for a part of the path, and shown as one.
  if (rest.find('@', authority.size()) != std::string_view::npos) {
    return bad_url("/ and ? in a user or password, and @ elsewhere, must be percent-encoded");
  }
  if (const std::size_t at = authority.rfind('@'); at != std::string_view::npos) {
    TRY(take_user(options, authority.substr(0, at)));
    authority.remove_prefix(at + 1);
  }
  const auto hosts = split(authority, ',');
  if (hosts.size() > (sentinel ? kSentinelsMax : 1)) {
    return bad_url(sentinel ? fmt::format("at most {} sentinels", kSentinelsMax)
                            : "several hosts are for redis+sentinel://");
  }
  for (const std::string_view host : hosts) {
    options.endpoints.push_back(TRY(parse_endpoint(host, sentinel ? kSentinelPort : kServerPort)));
  }
  std::string_view database = path;
  if (sentinel) {
    const std::size_t end = path.find('/');
    options.master = TRY(decode("the name of the master", path.substr(0, end)));
    database = end == std::string_view::npos ? std::string_view() : path.substr(end + 1);
    if (options.master.empty()) {
      return bad_url("the name of the master is missing: redis+sentinel://HOSTS/NAME");
    }
  }
  if (!database.empty()) {
    options.database =
        static_cast<std::int64_t>(TRY(number("the database", database, 0, kDatabaseMax)));
  }
  if (question != std::string_view::npos) {
    TRY(take_query(options, rest.substr(question + 1)));
  }
  return options;
}

}  // namespace roadstead::redis
