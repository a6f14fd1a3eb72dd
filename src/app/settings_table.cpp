#include <array>

#include "app/settings.h"

namespace roadstead::app {
namespace {

constexpr std::int64_t kDay = 86'400;
constexpr std::int64_t kNoBound = INT64_MAX;

constexpr std::array kEntries{
    SettingEntry{"listen", "ROADSTEAD_LISTEN",
                 "addresses to serve on, host:port; port 0 takes a free one", &Settings::listen},
    SettingEntry{
        "external_url", "ROADSTEAD_EXTERNAL_URL",
        "URL that clients use, when a proxy stands in front (default: as the request says)",
        &Settings::external_url},
    SettingEntry{"data_dir", "ROADSTEAD_DATA_DIR", "directory of everything that is kept",
                 &Settings::data_dir},
    SettingEntry{"database_url", "ROADSTEAD_DATABASE_URL",
                 "sqlite:PATH, postgresql://… or mysql://… (default: roadstead.db in data_dir)",
                 &Settings::database_url},
    SettingEntry{"storage_url", "ROADSTEAD_STORAGE_URL",
                 "file:DIRECTORY (default: storage in data_dir) or s3://BUCKET/PREFIX?endpoint=URL",
                 &Settings::storage_url},
    SettingEntry{"redis_url", "ROADSTEAD_REDIS_URL",
                 "redis://…, rediss://… or redis+sentinel://…, for replicas to count failed "
                 "sign-ins together (default: each counts by itself)",
                 &Settings::redis_url},
    SettingEntry{
        "secret_key_file", "ROADSTEAD_SECRET_KEY_FILE",
        "file with 64 hexadecimal digits, the same for all replicas (default: generated as "
        "secret.key in data_dir)",
        &Settings::secret_key_file},
    SettingEntry{"admin_password", "ROADSTEAD_ADMIN_PASSWORD",
                 "first password of admin; used on the first start only (default: a generated one)",
                 &Settings::admin_password, 0, 0, true},
    SettingEntry{"trusted_proxies", "ROADSTEAD_TRUSTED_PROXIES",
                 "addresses or CIDR blocks whose X-Forwarded-* headers count",
                 &Settings::trusted_proxies},
    SettingEntry{"roles", "ROADSTEAD_ROLES",
                 "what this process does of registry, api, jobs and console; all replicas together "
                 "have to do everything",
                 &Settings::roles},
    SettingEntry{"storage.redirect", "ROADSTEAD_STORAGE_REDIRECT",
                 "which downloads are sent to the object store: off, always, or size (those of "
                 "storage.redirect_min_size and more)",
                 &Settings::storage_redirect},
    SettingEntry{"storage.redirect_min_size", "ROADSTEAD_STORAGE_REDIRECT_MIN_SIZE",
                 "smallest blob that storage.redirect = size sends away",
                 &Settings::storage_redirect_min_size, 0, kNoBound},
    SettingEntry{"storage.redirect_lifetime", "ROADSTEAD_STORAGE_REDIRECT_LIFETIME",
                 "how long the address of such a download is good",
                 &Settings::storage_redirect_lifetime, 60, 7 * kDay},
    SettingEntry{"storage.redirect_except_agents", "ROADSTEAD_STORAGE_REDIRECT_EXCEPT_AGENTS",
                 "parts of User-Agent headers of clients that are never sent away",
                 &Settings::storage_redirect_except_agents},
    SettingEntry{"storage.redirect_except_networks", "ROADSTEAD_STORAGE_REDIRECT_EXCEPT_NETWORKS",
                 "addresses or CIDR blocks of clients that are never sent away",
                 &Settings::storage_redirect_except_networks},
    SettingEntry{"storage.cache_dir", "ROADSTEAD_STORAGE_CACHE_DIR",
                 "directory for copies of blobs from an object store (default: cache in data_dir)",
                 &Settings::storage_cache_dir},
    SettingEntry{"storage.cache_size", "ROADSTEAD_STORAGE_CACHE_SIZE",
                 "how much these copies may take; 0: none are kept", &Settings::storage_cache_size,
                 0, kNoBound},
    SettingEntry{"tls.certificate", "ROADSTEAD_TLS_CERTIFICATE",
                 "PEM file with the certificate chain", &Settings::tls_certificate},
    SettingEntry{"tls.key", "ROADSTEAD_TLS_KEY", "PEM file with the private key",
                 &Settings::tls_key},
    SettingEntry{"tls.http2", "ROADSTEAD_TLS_HTTP2", "offer HTTP/2 to clients that use TLS",
                 &Settings::tls_http2},
    SettingEntry{"token.lifetime", "ROADSTEAD_TOKEN_LIFETIME", "how long a bearer token is valid",
                 &Settings::token_lifetime, 60, kDay},
    SettingEntry{"token.signing_key", "ROADSTEAD_TOKEN_SIGNING_KEY",
                 "PEM file with the RSA key that signs tokens (default: generated, kept sealed in "
                 "the database)",
                 &Settings::token_signing_key},
    SettingEntry{"log.level", "ROADSTEAD_LOG_LEVEL", "debug, info, warning or error",
                 &Settings::log_level},
    SettingEntry{"log.format", "ROADSTEAD_LOG_FORMAT", "text or json", &Settings::log_format},
    SettingEntry{"log.access", "ROADSTEAD_LOG_ACCESS", "one line per request",
                 &Settings::log_access},
    SettingEntry{"metrics.listen", "ROADSTEAD_METRICS_LISTEN",
                 "address of a listener of its own for /metrics (default: the main listeners, for "
                 "local clients and"
                 " administrators)",
                 &Settings::metrics_listen},
    SettingEntry{"limits.io_threads", "ROADSTEAD_LIMITS_IO_THREADS",
                 "network threads; 0: one per core", &Settings::io_threads, 0, 256},
    SettingEntry{"limits.worker_threads", "ROADSTEAD_LIMITS_WORKER_THREADS",
                 "threads for requests that wait; 0: 16 per core, at least 32",
                 &Settings::worker_threads, 0, 4096},
    SettingEntry{"limits.drain_time", "ROADSTEAD_LIMITS_DRAIN_TIME",
                 "how long running requests may go on after SIGTERM", &Settings::drain_time, 0,
                 3600},
    SettingEntry{"limits.header_bytes", "ROADSTEAD_LIMITS_HEADER_BYTES", "largest request header",
                 &Settings::header_bytes_max, 4096, 1 << 20},
    SettingEntry{"limits.header_time", "ROADSTEAD_LIMITS_HEADER_TIME",
                 "time to send a request header", &Settings::header_time, 1, 3600},
    SettingEntry{"limits.idle_time", "ROADSTEAD_LIMITS_IDLE_TIME",
                 "how long an idle connection is kept", &Settings::idle_time, 1, 3600},
    SettingEntry{"limits.request_time", "ROADSTEAD_LIMITS_REQUEST_TIME",
                 "time for the work on one request, body transfer not counted",
                 &Settings::request_time, 1, 3600},
    SettingEntry{"limits.body_rate_min", "ROADSTEAD_LIMITS_BODY_RATE_MIN",
                 "slowest body transfer that is kept, bytes per second over 30 s; 0: no limit",
                 &Settings::body_rate_min, 0, 1 << 20},
    SettingEntry{"limits.connections", "ROADSTEAD_LIMITS_CONNECTIONS", "open connections",
                 &Settings::connections_max, 16, 10'000'000},
    SettingEntry{"limits.connections_per_address", "ROADSTEAD_LIMITS_CONNECTIONS_PER_ADDRESS",
                 "open connections of one client address; 0: no limit",
                 &Settings::connections_per_address_max, 0, 1'000'000},
    SettingEntry{
        "registry.lease", "ROADSTEAD_LEASE_SECONDS",
        "how long pushed content that nothing refers to is kept; 0: gc.grace, but at least 2h",
        &Settings::lease, 0, 365 * kDay},
    SettingEntry{"registry.upload_lifetime", "ROADSTEAD_REGISTRY_UPLOAD_LIFETIME",
                 "how long an upload without progress may be resumed", &Settings::upload_lifetime,
                 60, 30 * kDay},
    SettingEntry{"registry.uploads_per_project", "ROADSTEAD_REGISTRY_UPLOADS_PER_PROJECT",
                 "open uploads of one project", &Settings::uploads_per_project_max, 1, 1'000'000},
    SettingEntry{"registry.uploads_per_identity", "ROADSTEAD_REGISTRY_UPLOADS_PER_IDENTITY",
                 "open uploads of one user", &Settings::uploads_per_identity_max, 1, 1'000'000},
    SettingEntry{"registry.free_space_floor", "ROADSTEAD_REGISTRY_FREE_SPACE_FLOOR",
                 "free space below which uploads are refused, so that the database can go on",
                 &Settings::free_space_floor, 0, kNoBound},
    SettingEntry{"registry.sparse_indexes", "ROADSTEAD_REGISTRY_SPARSE_INDEXES",
                 "accept an index some of whose manifests are not here", &Settings::sparse_indexes},
    SettingEntry{"registry.tag_history_max", "ROADSTEAD_REGISTRY_TAG_HISTORY_MAX",
                 "changes of a tag that are kept", &Settings::tag_history_max, 1, 100'000},
    SettingEntry{"registry.tag_history_age", "ROADSTEAD_REGISTRY_TAG_HISTORY_AGE",
                 "how long changes of tags are kept; the last one of a tag that exists always is",
                 &Settings::tag_history_age, 60, 3650 * kDay},
    SettingEntry{
        "gc.grace", "ROADSTEAD_GC_GRACE_SECONDS",
        "how long content stays that nothing refers to any more, and how long a deletion can "
        "be undone",
        &Settings::gc_grace, 0, 365 * kDay},
    SettingEntry{"gc.interval", "ROADSTEAD_GC_INTERVAL_SECONDS",
                 "time between garbage collections by itself; 0: only when asked for",
                 &Settings::gc_interval, 0, 30 * kDay},
    SettingEntry{"gc.delete_untagged", "ROADSTEAD_GC_DELETE_UNTAGGED",
                 "whether collections by itself remove untagged artifacts",
                 &Settings::gc_delete_untagged},
    SettingEntry{"scrub.bytes_per_second", "ROADSTEAD_SCRUB_BYTES_PER_SECOND",
                 "how much stored content is read again and verified in a second; 0: none",
                 &Settings::scrub_bytes_per_second, 0, kNoBound},
    SettingEntry{"scrub.interval", "ROADSTEAD_SCRUB_INTERVAL",
                 "how long verified content is left alone", &Settings::scrub_interval, 0,
                 365 * kDay},
};

}  // namespace

std::span<const SettingEntry> setting_entries() {
  return kEntries;
}

}  // namespace roadstead::app
