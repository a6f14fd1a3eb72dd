#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/result.h"

namespace roadstead::app {

using Seconds = std::chrono::seconds;

/// A size in a setting: "512", "64KiB", "4 MiB", "1GiB".
struct Bytes {
  std::uint64_t value = 0;
};

/// Everything that can be configured, with its defaults. docs/configuration.md describes each key.
struct Settings {
  std::vector<std::string> listen{"127.0.0.1:8080"};
  std::string external_url;
  std::string data_dir = "/var/lib/roadstead";
  std::string database_url;
  std::string storage_url;
  std::string redis_url;
  std::string secret_key_file;
  std::string storage_redirect = "off";
  Bytes storage_redirect_min_size{std::uint64_t{1} << 20U};
  Seconds storage_redirect_lifetime{20 * 60};
  std::vector<std::string> storage_redirect_except_agents;
  std::vector<std::string> storage_redirect_except_networks;
  std::string storage_cache_dir;
  Bytes storage_cache_size{0};
  std::string admin_password;
  std::vector<std::string> trusted_proxies;
  std::vector<std::string> roles{"registry", "api", "jobs", "console"};

  std::string tls_certificate;
  std::string tls_key;
  bool tls_http2 = true;

  Seconds token_lifetime{30 * 60};
  std::string token_signing_key;

  std::string log_level = "info";
  std::string log_format = "text";
  bool log_access = true;
  std::string metrics_listen;

  std::int64_t io_threads = 0;
  std::int64_t worker_threads = 0;
  Seconds drain_time{30};
  Bytes header_bytes_max{std::uint64_t{64} << 10U};
  Seconds header_time{15};
  Seconds idle_time{75};
  Seconds request_time{60};
  std::int64_t body_rate_min = 512;
  std::int64_t connections_max = 65'536;
  std::int64_t connections_per_address_max = 0;

  Seconds lease{0};
  Seconds upload_lifetime{24 * 60 * 60};
  std::int64_t uploads_per_project_max = 100;
  std::int64_t uploads_per_identity_max = 32;
  Bytes free_space_floor{std::uint64_t{256} << 20U};
  bool sparse_indexes = false;
  std::int64_t tag_history_max = 100;
  Seconds tag_history_age{365 * 24 * 60 * 60};

  Seconds gc_grace{2 * 60 * 60};
  Seconds gc_interval{60};
  bool gc_delete_untagged = false;
  Bytes scrub_bytes_per_second{std::uint64_t{8} << 20U};
  Seconds scrub_interval{7 * 24 * 60 * 60};
};

/// One row of the table that file, environment, flags, `config show` and the documentation share.
struct SettingEntry {
  std::string_view key;          ///< "tls.certificate": nested maps in the file.
  std::string_view environment;  ///< "ROADSTEAD_TLS_CERTIFICATE"
  std::string_view help;
  std::variant<std::string Settings::*, bool Settings::*, std::int64_t Settings::*,
               Seconds Settings::*, Bytes Settings::*, std::vector<std::string> Settings::*>
      member;
  std::int64_t min = 0;  ///< Bounds of numbers, durations and sizes.
  std::int64_t max = 0;
  bool secret = false;  ///< Masked by `config show`.
};
std::span<const SettingEntry> setting_entries();
/// "--tls-certificate" for "tls.certificate".
std::string flag_of(const SettingEntry& entry);

/// Where the values come from, weakest first: defaults, file, environment, flags.
struct SettingSources {
  std::optional<std::filesystem::path> file;
  std::function<std::optional<std::string>(std::string_view)> environment;
  std::map<std::string, std::string, std::less<>> flags;  ///< By key.
};

/// Reads all sources and checks the whole. Errors: kInvalid + kConfiguration naming the file, line
/// and key (or the variable or flag).
Result<Settings> load_settings(const SettingSources& sources);

/// The effective values as YAML, secrets masked.
std::string show_settings(const Settings& settings);

/// "127.0.0.1:8080" or "[::1]:443" taken apart. Errors: kInvalid + kConfiguration.
struct HostPort {
  std::string host;
  std::uint16_t port = 0;
};
Result<HostPort> parse_host_port(std::string_view text);
/// True for loopback addresses and "localhost".
bool is_loopback(std::string_view host);

}  // namespace roadstead::app
