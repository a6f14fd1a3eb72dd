#include "app/settings.h"

#include <algorithm>
#include <set>

#include <fmt/format.h>
#include <yaml-cpp/yaml.h>

#include "base/text.h"
#include "db/server.h"
#include "redis/url.h"
#include "storage/s3.h"

namespace roadstead::app {
namespace {

Error bad(std::string_view origin, std::string_view key, std::string_view what) {
  return Error{
      Code::kInvalid, Subject::kConfiguration, fmt::format("{}: {}: {}", origin, key, what), {}};
}

std::optional<std::int64_t> parse_scaled(
    std::string_view text, std::span<const std::pair<std::string_view, std::int64_t>> units) {
  const std::size_t digits = std::min(text.find_first_not_of("0123456789"), text.size());
  const auto number = parse_int64(text.substr(0, digits));
  const std::string_view unit = trim(text.substr(digits));
  const auto match = std::find_if(units.begin(), units.end(), [&](const auto& candidate) {
    return equals_ignoring_case(candidate.first, unit);
  });
  if (!number || match == units.end() || *number > INT64_MAX / match->second) {
    return std::nullopt;
  }
  return *number * match->second;
}

std::optional<std::int64_t> parse_duration(std::string_view text) {
  static constexpr std::pair<std::string_view, std::int64_t> kUnits[] = {
      {"", 1}, {"s", 1}, {"m", 60}, {"h", 3600}, {"d", 86'400}};
  return parse_scaled(text, kUnits);
}

std::optional<std::int64_t> parse_bytes(std::string_view text) {
  static constexpr std::pair<std::string_view, std::int64_t> kUnits[] = {{"", 1},
                                                                         {"b", 1},
                                                                         {"KiB", 1LL << 10U},
                                                                         {"MiB", 1LL << 20U},
                                                                         {"GiB", 1LL << 30U},
                                                                         {"TiB", 1LL << 40U}};
  return parse_scaled(text, kUnits);
}

std::optional<bool> parse_bool(std::string_view text) {
  for (const std::string_view yes : {"true", "yes", "on", "1"}) {
    if (equals_ignoring_case(text, yes)) {
      return true;
    }
  }
  for (const std::string_view no : {"false", "no", "off", "0"}) {
    if (equals_ignoring_case(text, no)) {
      return false;
    }
  }
  return std::nullopt;
}

/// Assigns one scalar given as text, whatever source it came from.
struct Assign {
  Settings& settings;
  const SettingEntry& entry;
  std::string_view origin;
  std::string_view text;

  Result<std::int64_t> bounded(std::optional<std::int64_t> number,
                               std::string_view expected) const {
    if (!number) {
      return bad(origin, entry.key, fmt::format("expected {}, got \"{}\"", expected, text));
    }
    if (*number < entry.min || *number > entry.max) {
      return bad(origin, entry.key, fmt::format("must be between {} and {}", entry.min, entry.max));
    }
    return *number;
  }

  Result<void> operator()(std::string Settings::* member) const {
    settings.*member = std::string(text);
    return {};
  }
  Result<void> operator()(bool Settings::* member) const {
    const auto truth = parse_bool(text);
    if (!truth) {
      return bad(origin, entry.key, fmt::format("expected true or false, got \"{}\"", text));
    }
    settings.*member = *truth;
    return {};
  }
  Result<void> operator()(std::int64_t Settings::* member) const {
    settings.*member = TRY(bounded(parse_int64(text), "a whole number"));
    return {};
  }
  Result<void> operator()(Seconds Settings::* member) const {
    settings.*member =
        Seconds(TRY(bounded(parse_duration(text), "a duration such as 90s, 15m or 2h")));
    return {};
  }
  Result<void> operator()(Bytes Settings::* member) const {
    (settings.*member).value =
        static_cast<std::uint64_t>(TRY(bounded(parse_bytes(text), "a size such as 64KiB or 2GiB")));
    return {};
  }
  Result<void> operator()(std::vector<std::string> Settings::* member) const {
    (settings.*member).clear();
    for (const std::string_view piece : split(text, ',')) {
      if (!trim(piece).empty()) {
        (settings.*member).emplace_back(trim(piece));
      }
    }
    return {};
  }
};

const SettingEntry* find_entry(std::string_view key) {
  const auto entries = setting_entries();
  const auto found =
      std::find_if(entries.begin(), entries.end(), [&](const auto& e) { return e.key == key; });
  return found == entries.end() ? nullptr : &*found;
}

bool is_section(std::string_view key) {
  const auto entries = setting_entries();
  return std::any_of(entries.begin(), entries.end(), [&](const auto& e) {
    return e.key.size() > key.size() && e.key.starts_with(key) && e.key[key.size()] == '.';
  });
}

Result<void> read_list(Settings& settings, const SettingEntry& entry, const YAML::Node& node,
                       std::string_view origin) {
  const auto* member = std::get_if<std::vector<std::string> Settings::*>(&entry.member);
  if (member == nullptr) {
    return bad(origin, entry.key, "expected a single value, got a list");
  }
  std::vector<std::string> items;
  for (const auto& item : node) {
    if (!item.IsScalar()) {
      return bad(origin, entry.key, "expected a list of single values");
    }
    items.push_back(item.Scalar());
  }
  settings.*(*member) = std::move(items);
  return {};
}

Result<void> read_node(Settings& settings, const YAML::Node& node, const std::string& prefix,
                       std::string_view file) {
  std::set<std::string> seen;
  for (const auto& pair : node) {
    const std::string origin = fmt::format("{}:{}", file, pair.first.Mark().line + 1);
    if (!pair.first.IsScalar()) {
      return bad(origin, prefix.empty() ? "top level" : prefix, "keys must be plain words");
    }
    const std::string key =
        prefix.empty() ? pair.first.Scalar() : prefix + "." + pair.first.Scalar();
    if (!seen.insert(key).second) {
      return bad(origin, key, "given twice");
    }
    const SettingEntry* entry = find_entry(key);
    if (entry == nullptr) {
      if (!is_section(key)) {
        return bad(origin, key, "unknown key");
      }
      if (!pair.second.IsMap() && !pair.second.IsNull()) {
        return bad(origin, key, "expected a map of keys");
      }
      TRY(read_node(settings, pair.second, key, file));
    } else if (pair.second.IsSequence()) {
      TRY(read_list(settings, *entry, pair.second, origin));
    } else if (pair.second.IsScalar()) {
      TRY(std::visit(Assign{settings, *entry, origin, pair.second.Scalar()}, entry->member));
    } else if (!pair.second.IsNull()) {  // "key:" without a value leaves the default.
      return bad(origin, key, "expected a value, got a map");
    }
  }
  return {};
}

Result<void> read_file(Settings& settings, const std::filesystem::path& path) {
  try {
    const YAML::Node root = YAML::LoadFile(path.string());
    if (root.IsNull()) {
      return {};
    }
    if (!root.IsMap()) {
      return bad(path.string(), "top level", "expected a map of keys");
    }
    return read_node(settings, root, "", path.string());
  } catch (const YAML::BadFile&) {
    return bad(path.string(), "configuration file", "cannot be read");
  } catch (const YAML::Exception& error) {
    return bad(fmt::format("{}:{}", path.string(), error.mark.line + 1), "syntax", error.msg);
  }
}

Result<void> check_one_of(std::string_view key, std::string_view value,
                          std::initializer_list<std::string_view> allowed) {
  if (std::find(allowed.begin(), allowed.end(), value) == allowed.end()) {
    return bad("configuration", key,
               fmt::format("must be one of {}, got \"{}\"", fmt::join(allowed, ", "), value));
  }
  return {};
}

Result<void> check_external_url(const std::string& url) {
  if (url.empty()) {
    return {};
  }
  const bool known = url.starts_with("http://") || url.starts_with("https://");
  const std::size_t host = url.find("//") + 2;
  if (!known || url.size() <= host || url.find_first_of("/ ?#", host) != std::string::npos) {
    return bad("configuration", "external_url",
               "expected http://host[:port] or https://host[:port] without a path");
  }
  return {};
}

Result<void> complete_storage(Settings& settings) {
  if (settings.storage_url.starts_with("s3:")) {
    // Where credentials come from is looked at when the store is opened.
    const auto options = storage::parse_s3_url(settings.storage_url, {});
    if (!options) {
      return bad("configuration", "storage_url", options.error().message);
    }
  } else if (!settings.storage_url.starts_with("file:")) {
    return bad("configuration", "storage_url",
               "expected file:DIRECTORY or s3://BUCKET/PREFIX?endpoint=URL");
  }
  TRY(check_one_of("storage.redirect", settings.storage_redirect, {"off", "always", "size"}));
  if (settings.storage_cache_dir.empty()) {
    settings.storage_cache_dir = settings.data_dir + "/cache";
  }
  return {};
}

/// What no single value can tell. Also fills the defaults that depend on data_dir.
Result<void> complete(Settings& settings) {
  if (settings.data_dir.empty()) {
    return bad("configuration", "data_dir", "must not be empty");
  }
  if (settings.listen.empty()) {
    return bad("configuration", "listen", "at least one address is needed");
  }
  for (const std::string& address : settings.listen) {
    TRY(parse_host_port(address));
  }
  if (!settings.metrics_listen.empty()) {
    TRY(parse_host_port(settings.metrics_listen));
  }
  TRY(check_one_of("log.level", settings.log_level, {"debug", "info", "warning", "error"}));
  TRY(check_one_of("log.format", settings.log_format, {"text", "json"}));
  for (const std::string& role : settings.roles) {
    TRY(check_one_of("roles", role, {"registry", "api", "jobs", "console"}));
  }
  if (settings.roles.empty()) {
    return bad("configuration", "roles", "a process without a role serves nothing");
  }
  while (settings.external_url.ends_with('/')) {
    settings.external_url.pop_back();
  }
  TRY(check_external_url(settings.external_url));
  if (settings.tls_certificate.empty() != settings.tls_key.empty()) {
    return bad("configuration", "tls", "certificate and key must be given together");
  }
  if (settings.database_url.empty()) {
    settings.database_url = "sqlite:" + settings.data_dir + "/roadstead.db";
  } else if (!settings.database_url.starts_with("sqlite:")) {
    if (const auto server = db::parse_server_url(settings.database_url); !server) {
      return bad("configuration", "database_url", "sqlite:PATH, or a " + server.error().message);
    }
  }
  if (!settings.redis_url.empty()) {
    if (const auto redis = redis::parse_url(settings.redis_url); !redis) {
      return bad("configuration", "redis_url", redis.error().message);
    }
  }
  if (settings.storage_url.empty()) {
    settings.storage_url = "file:" + settings.data_dir + "/storage";
  }
  return complete_storage(settings);
}

/// Harbor's name for how long unused content stays, since its push as well as since its last use,
/// in hours. Weaker than our own settings of it.
Result<void> read_time_window(Settings& settings, const SettingSources& sources) {
  constexpr std::string_view kVariable = "GC_TIME_WINDOW_HOURS";
  constexpr std::int64_t kHoursMax = 8'760;  // A year.
  const auto text = sources.environment(kVariable);
  if (!text || text->empty()) {
    return {};
  }
  const auto hours = parse_int64(*text);
  if (!hours || *hours > kHoursMax) {
    return bad(kVariable, "gc.grace",
               fmt::format("expected 0 to {} hours, got \"{}\"", kHoursMax, *text));
  }
  settings.gc_grace = std::chrono::hours(*hours);
  settings.lease = std::max(settings.gc_grace, Seconds{1});
  return {};
}

}  // namespace

std::string flag_of(const SettingEntry& entry) {
  std::string flag = "--" + std::string(entry.key);
  std::replace_if(flag.begin(), flag.end(), [](char c) { return c == '.' || c == '_'; }, '-');
  return flag;
}

Result<Settings> load_settings(const SettingSources& sources) {
  Settings settings;
  TRY(read_time_window(settings, sources));
  if (sources.file) {
    TRY(read_file(settings, *sources.file));
  }
  for (const SettingEntry& entry : setting_entries()) {
    if (const auto value = sources.environment(entry.environment)) {
      TRY(std::visit(Assign{settings, entry, entry.environment, *value}, entry.member));
    }
  }
  for (const auto& [key, value] : sources.flags) {
    const SettingEntry* entry = find_entry(key);
    CHECK(entry != nullptr);
    TRY(std::visit(Assign{settings, *entry, flag_of(*entry), value}, entry->member));
  }
  TRY(complete(settings));
  return settings;
}

namespace {

struct Show {
  const Settings& settings;
  std::string operator()(std::string Settings::* member) const {
    return fmt::format("\"{}\"", settings.*member);
  }
  std::string operator()(bool Settings::* member) const {
    return settings.*member ? "true" : "false";
  }
  std::string operator()(std::int64_t Settings::* member) const {
    return fmt::format("{}", settings.*member);
  }
  std::string operator()(Seconds Settings::* member) const {
    return fmt::format("{}s", (settings.*member).count());
  }
  std::string operator()(Bytes Settings::* member) const {
    return fmt::format("{}", (settings.*member).value);
  }
  std::string operator()(std::vector<std::string> Settings::* member) const {
    std::string out = "[";
    for (const std::string& item : settings.*member) {
      out += fmt::format("{}\"{}\"", out.size() > 1 ? ", " : "", item);
    }
    return out + "]";
  }
};

}  // namespace

std::string show_settings(const Settings& settings) {
  std::string out;
  std::string section;
  for (const SettingEntry& entry : setting_entries()) {
    const auto dot = entry.key.find('.');
    const std::string_view prefix =
        dot == std::string_view::npos ? std::string_view() : entry.key.substr(0, dot);
    if (prefix != section) {
      section = prefix;
      out += fmt::format("{}:\n", section);
    }
    std::string value = db::mask_password(std::visit(Show{settings}, entry.member));
    if (entry.secret && value != "\"\"") {
      value = "\"***\"";
    }
    out += fmt::format("{}{}: {}\n", prefix.empty() ? "" : "  ",
                       prefix.empty() ? entry.key : entry.key.substr(dot + 1), value);
  }
  return out;
}

Result<HostPort> parse_host_port(std::string_view text) {
  const auto colon = text.rfind(':');
  const auto port =
      colon == std::string_view::npos ? std::nullopt : parse_uint64(text.substr(colon + 1));
  if (!port || *port > 65'535) {
    return bad("configuration", text, "expected host:port");
  }
  std::string_view host = text.substr(0, colon);
  if (host.starts_with('[') && host.ends_with(']')) {
    host = host.substr(1, host.size() - 2);
  } else if (host.find(':') != std::string_view::npos) {
    return bad("configuration", text, "an IPv6 address needs brackets: [::1]:8080");
  }
  return HostPort{host.empty() ? "0.0.0.0" : std::string(host), static_cast<std::uint16_t>(*port)};
}

bool is_loopback(std::string_view host) {
  return host == "localhost" || host == "::1" || host.starts_with("127.");
}

}  // namespace roadstead::app
