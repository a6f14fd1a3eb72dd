#include "app/node.h"

#include <algorithm>
#include <thread>

#include <fmt/format.h>

#include "app/admin.h"
#include "app/copy_source.h"
#include "app/data_directory.h"
#include "app/fsck_command.h"
#include "app/import_command.h"
#include "app/metrics_endpoint.h"
#include "app/observer.h"
#include "app/opening.h"
#include "app/program.h"
#include "app/project_content.h"
#include "app/readiness.h"
#include "app/redis_debts.h"
#include "app/store_metrics.h"
#include "app/system_metrics.h"
#include "app/trash_requests.h"
#include "app/version.h"
#include "auth/signing_key.h"
#include "http/server.h"
#include "project/project_store.h"
#include "registry/history.h"
#include "registry/remove.h"
#include "registry/upkeep.h"
#include "replica/member.h"
#include "sys/directory_lock.h"
#include "sys/local_socket.h"
#include "sys/process.h"

namespace roadstead::app {
namespace {

constexpr std::size_t kTendBatch = 500;
constexpr std::chrono::seconds kTendEvery{10};
/// Of the quota ledger, at each tick: more than pushes of a second can append.
constexpr int kFoldBatches = 50;
/// Between two rounds through the history of tags, and changes looked at in a step of one.
constexpr std::chrono::minutes kTrimEvery{10};
constexpr std::size_t kTrimBatch = 1'000;
/// A walk through a shared store lists all of it, which costs requests.
constexpr std::chrono::minutes kStraysFirst{15};
constexpr std::chrono::hours kStraysEvery{24};

/// Each holds its request: some 16 KiB, or two buffers of an upload.
constexpr std::size_t kWorkQueueMax = 4096;
/// A client that is told to come back after a second should not have waited longer than that for
/// being told, and what waits when an overload ends must be done within a second.
constexpr std::chrono::milliseconds kWorkWaitMax{500};

std::size_t worker_threads(const Settings& settings) {
  if (settings.worker_threads > 0) {
    return static_cast<std::size_t>(settings.worker_threads);
  }
  // Every push waits in its syncs most of the time: fewer threads would leave the group commit
  // nothing to group.
  return std::max<std::size_t>(32, std::size_t{16} * std::thread::hardware_concurrency());
}

Result<crypto::SigningKey> signing_key(const Settings& settings, db::Database& database,
                                       const std::string& secret) {
  if (!settings.token_signing_key.empty()) {
    return auth::read_signing_key(settings.token_signing_key);
  }
  return auth::load_signing_key(database, secret);
}

auth::TokenService::Options token_options(const Settings& settings) {
  auth::TokenService::Options options;
  options.lifetime = settings.token_lifetime;
  return options;
}

http::Limits http_limits(const Settings& settings) {
  http::Limits limits;
  limits.header_bytes_max = settings.header_bytes_max.value;
  limits.header_time = settings.header_time;
  limits.idle_time = settings.idle_time;
  limits.request_time = settings.request_time;
  limits.body_rate_min_bytes_per_second = static_cast<std::uint64_t>(settings.body_rate_min);
  limits.connections_max = static_cast<std::size_t>(settings.connections_max);
  limits.connections_per_address_max =
      static_cast<std::size_t>(settings.connections_per_address_max);
  return limits;
}

bool has_role(const Settings& settings, std::string_view role) {
  return std::find(settings.roles.begin(), settings.roles.end(), role) != settings.roles.end();
}

/// Whether the store answers; that nothing lies at this place is an answer.
Result<void> probe_store(storage::BlobStore& store) {
  TRY(store.free_space());
  const storage::Location nowhere{"sha256:" + std::string(64, '0')};
  const auto found = store.stat(nowhere);
  return found || found.error().code == Code::kNotFound ? Result<void>() : found.error();
}

std::string url_of(const http::ListenOptions& listen, std::uint16_t port) {
  const bool v6 = listen.host.find(':') != std::string::npos;
  return fmt::format("{}://{}{}{}:{}", listen.tls ? "https" : "http", v6 ? "[" : "", listen.host,
                     v6 ? "]" : "", port);
}

/// Creates admin on the first start. A generated password is printed once and kept where only the
/// owner can read it.
Result<void> first_start(const Settings& settings, const DataDirectory& directory,
                         db::Database& database,
                         const std::function<void(std::string_view)>& print) {
  if (TRY(auth::has_administrator(database))) {
    return {};
  }
  const bool generated = settings.admin_password.empty();
  const std::string password = generated ? generate_password() : settings.admin_password;
  const auto file = directory.path() / "initial-admin-password";
  if (generated) {
    // Before the account: a start that is cut off in between makes another one, while an account
    // whose password nobody was told would stay.
    TRY(sys::replace_file(file, password + "\n"));
  }
  const bool made =
      TRY(auth::ensure_administrator(database, password, project::create_default_project));
  if (generated && !made) {
    TRY(sys::remove(file));  // Another replica was faster: its password counts.
  }
  if (generated && made) {
    print(fmt::format("First start. Sign in as admin with the password {}\n(kept in {})\n",
                      password, file.string()));
  }
  return {};
}

}  // namespace

/// In the order of dependency: a member uses only members above it, and destruction runs backwards.
struct Node::Parts {
  Parts(const Settings& node_settings, log::Sink& sink, DataDirectory data_directory)
      : settings(node_settings), logger(sink), directory(std::move(data_directory)) {}

  Settings settings;
  SystemClock clock;
  log::Logger logger;
  DataDirectory directory;
  metrics::Registry metrics;
  std::unique_ptr<db::Database> database;
  std::optional<StoreMetrics> store_metrics;
  std::unique_ptr<replica::Member> member;
  std::unique_ptr<storage::BlobStore> store;
  std::optional<sys::DirectoryLock> store_lock;  ///< Files belong to one process.
  api::oci::RedirectPolicy redirects;
  storage::DigestLocks locks;
  std::optional<auth::PasswordPool> passwords;
  std::unique_ptr<redis::Client> redis;  ///< Null without one.
  std::optional<RedisDebts> login_debts;
  std::optional<auth::LoginThrottle> throttle;
  std::optional<auth::TokenService> tokens;
  std::unique_ptr<auth::Authenticator> authenticator;
  std::optional<auth::UserStore> users;
  registry::Options registry_options;
  std::optional<registry::Uploads> uploads;
  std::optional<fsck::Runner> checks;
  std::optional<fsck::Scrubber> scrubber;
  std::optional<importer::Runner> imports;
  std::optional<sys::ThreadPool> workers;
  std::unique_ptr<RequestObserver> observer;
  std::optional<gc::Collector> collector;
  std::optional<Readiness> readiness;
  LiveEndpoint live;
  std::optional<ReadyEndpoint> ready;
  std::optional<RegistryContent> content;
  std::optional<api::oci::Api> oci;
  std::optional<api::RestApi> rest;
  std::optional<GuardedMetricsEndpoint> guarded_metrics;
  std::optional<OpenMetricsEndpoint> open_metrics;
  std::optional<SinglePath> metrics_program;
  std::optional<Program> program;
  std::unique_ptr<http::Server> metrics_server;
  std::unique_ptr<http::Server> server;
  std::unique_ptr<sys::LocalServer> admin;
  std::vector<std::string> urls;
  Time certificate_read_at{};
  std::chrono::steady_clock::time_point tend_at{};
  std::chrono::steady_clock::time_point trim_at{};
  std::optional<std::chrono::steady_clock::time_point> strays_at;
  bool staged_next = false;     ///< What is looked for next.
  std::int64_t history_at = 0;  ///< Where the round through the history of tags goes on.

  Result<void> open(const std::function<void(std::string_view)>& print);
  Result<void> own_store();
  void wire();
  Result<void> listen();
  void fold_quota();
  Result<void> discard_staged_strays();
  void find_strays(fsck::CheckOptions::Extent extent = fsck::CheckOptions::Extent::kFiles);
  void look_after_shared_store();
  void trim_history();
  [[nodiscard]] Time certificate_changed_at() const;
};

Result<void> Node::Parts::open(const std::function<void(std::string_view)>& print) {
  database = TRY(open_database(settings, clock, logger));
  member = TRY(replica::Member::join(
      *database,
      {sys::host_name(), fmt::format("{}", fmt::join(settings.roles, ",")), std::string(kVersion)},
      logger));
  TRY(own_store());
  const bool object_store = settings.storage_url.starts_with("s3:");
  store = TRY(open_store(settings, object_store ? &store_metrics.emplace(metrics) : nullptr));
  if (object_store && settings.storage_cache_size.value > 0) {
    auto cached = TRY(open_cache(settings, std::move(store)));
    export_cache(metrics, *cached);
    store = std::move(cached);
  }
  redirects = TRY(redirect_policy(settings));
  if (!settings.redis_url.empty()) {
    redis::Options options = TRY(redis::parse_url(settings.redis_url));
    redis = TRY(redis::Client::open(std::move(options), logger));
    export_redis(metrics, *redis);
    login_debts.emplace(*redis, crypto::hmac_sha256(directory.secret_key(), "failed sign-ins"));
  }
  crypto::SigningKey key = TRY(signing_key(settings, *database, directory.secret_key()));
  TRY(first_start(settings, directory, *database, print));
  registry_options = TRY(app::registry_options(settings));
  registry_options.upload_key = crypto::hmac_sha256(directory.secret_key(), "ids of uploads");
  tokens.emplace(clock, std::move(key), token_options(settings));
  return {};
}

/// A second process over the same files would remove what this one is about to name.
Result<void> Node::Parts::own_store() {
  if (settings.storage_url.starts_with("s3:")) {
    return {};
  }
  const auto root = store_directory(settings);
  TRY(sys::make_directories(root));
  auto lock = sys::DirectoryLock::acquire(root);
  if (!lock && lock.error().code == Code::kConflict) {
    return Error{Code::kConflict,
                 Subject::kConfiguration,
                 fmt::format("{} is in use by another roadstead process: replicas need an object "
                             "store",
                             root.string()),
                 {}};
  }
  store_lock.emplace(TRY(std::move(lock)));
  return {};
}

void Node::Parts::wire() {
  passwords.emplace(auth::PasswordPool::Options{});
  throttle.emplace(clock, login_debts ? &*login_debts : nullptr);
  authenticator =
      auth::make_authenticator({*database, *passwords, *tokens, *throttle, clock, logger});
  users.emplace(*database, *passwords);
  uploads.emplace(*database, *store, locks, registry_options);
  checks.emplace(fsck::Check::Parts{*database, *store, locks}, logger);
  scrubber.emplace(fsck::Scrubber::Parts{*database, *store, locks, logger},
                   fsck::Scrubber::Options{
                       has_role(settings, "jobs") ? settings.scrub_bytes_per_second.value : 0,
                       settings.scrub_interval, [this] { return member->has_turn("scrubber"); }});
  imports.emplace(importer::Runner::Parts{*database, *store, locks, registry_options, logger});
  workers.emplace(
      sys::ThreadPool::Options{"worker", worker_threads(settings), kWorkQueueMax, kWorkWaitMax});
  observer = std::make_unique<RequestObserver>(metrics, logger, settings.log_access);
  collector.emplace(
      gc::Collector::Parts{*database, *store, locks, registry_options, *member, logger},
      gc::Collector::Settings{settings.gc_interval, settings.gc_delete_untagged,
                              [this] { return observer->answered(); }, has_role(settings, "jobs")});
  readiness.emplace(member->id(), std::vector<Readiness::Dependency>{
                                      {"database", [this] { return database->ping(); }},
                                      {"storage", [this] { return probe_store(*store); },
                                       std::chrono::seconds{10}}});
  ready.emplace(*readiness);
  content.emplace(*database);
  oci.emplace(api::oci::Services{*database, *store, *uploads, *authenticator, registry_options,
                                 settings.external_url, redirects});
  const api::Installation installation{std::string(kVersion), settings.external_url,
                                       store_metrics ? "s3" : "filesystem"};
  rest.emplace(api::RestParts{
      api::V2Parts{*database, *users, *content, registry_options, &*collector, installation,
                   [this] { return readiness->is_healthy("storage"); }},
      *authenticator, *tokens});
  guarded_metrics.emplace(metrics, *authenticator, *database);
  open_metrics.emplace(metrics);
  metrics_program.emplace("/metrics", *open_metrics);
  program.emplace(Endpoints{*oci, *rest, *guarded_metrics, live, *ready},
                  Served{has_role(settings, "registry"), has_role(settings, "api")});
  export_process(metrics, *database, *workers);
  export_tokens(metrics, *tokens);
  export_collector(metrics, *collector);
  export_scrubber(metrics, *scrubber);
}

Result<void> Node::Parts::listen() {
  http::ServerOptions options;
  options.limits = http_limits(settings);
  options.trusted_proxies = settings.trusted_proxies;
  options.io_threads = static_cast<std::size_t>(settings.io_threads);
  const bool tls = !settings.tls_certificate.empty();
  if (tls) {
    options.tls = http::TlsOptions{settings.tls_certificate, settings.tls_key};
    options.http2 = settings.tls_http2;
    certificate_read_at = certificate_changed_at();
  }
  for (const std::string& address : settings.listen) {
    const HostPort at = TRY(parse_host_port(address));
    options.listen.push_back({at.host, at.port, tls});
    if (!tls && !is_loopback(at.host)) {
      logger.warning(
          "listening beyond this machine without TLS: passwords and tokens travel in clear text "
          "unless a"
          " proxy does TLS in front",
          {{"address", address}});
    }
  }
  server = TRY(http::Server::start(options, *program, *observer, *workers, logger));
  export_server(metrics, *server);
  const auto ports = server->ports();
  std::string lines;
  for (std::size_t i = 0; i < ports.size(); ++i) {
    urls.push_back(url_of(options.listen[i], ports[i]));
    lines += urls.back() + "\n";
  }
  TRY(sys::make_directories(directory.path() / "run"));
  TRY(sys::replace_file(directory.path() / "run" / "urls", lines));
  if (!settings.metrics_listen.empty()) {
    const HostPort at = TRY(parse_host_port(settings.metrics_listen));
    http::ServerOptions metrics_options;
    metrics_options.listen.push_back({at.host, at.port, false});
    metrics_options.io_threads = 1;
    metrics_server =
        TRY(http::Server::start(metrics_options, *metrics_program, *observer, *workers, logger));
  }
  admin = TRY(sys::LocalServer::start(
      DataDirectory::admin_socket(directory.path()), [this](std::string_view request) {
        auto answer = answer_fsck_request(*checks, settings.sparse_indexes, request);
        if (!answer) {
          answer = answer_copy_request(*database, request);
        }
        if (!answer) {
          answer = answer_import_request(*imports, settings, request);
        }
        if (!answer) {
          answer = answer_trash_request({*database, *users, registry_options}, request);
        }
        return answer ? std::move(*answer)
                      : answer_admin_request({*users, *collector, *database}, request);
      }));
  return {};
}

Time Node::Parts::certificate_changed_at() const {
  const auto certificate = sys::modified_at(settings.tls_certificate);
  const auto key = sys::modified_at(settings.tls_key);
  return certificate && key ? std::max(*certificate, *key) : certificate_read_at;
}

Node::Node(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}

Node::~Node() {
  // Requests end before what they use goes away; a drained server has none left.
  parts_->admin.reset();
  parts_->server.reset();
  parts_->metrics_server.reset();
  if (parts_->checks->status().running || parts_->imports->status().running) {
    return;  // The next start looks again for what this one has not found yet.
  }
  if (const auto marked = parts_->directory.mark_stopped(); !marked) {
    parts_->logger.warning("the next start will look for what a killed process leaves",
                           {{"reason", marked.error().message}});
  }
}

Result<std::unique_ptr<Node>> Node::start(const Settings& settings, log::Sink& sink,
                                          const std::function<void(std::string_view)>& print) {
  DataDirectory directory = TRY(DataDirectory::open(settings.data_dir, settings.secret_key_file));
  auto parts = std::make_unique<Parts>(settings, sink, std::move(directory));
  TRY(parts->open(print));
  const bool stopped = TRY(parts->directory.take_stopped_mark());
  // In a shared store others are at work: what this process left is found by its age.
  const bool ours = !parts->store->traits().shared;
  if (!stopped && ours) {
    TRY(parts->discard_staged_strays());
  }
  parts->wire();
  if (!stopped && ours) {
    parts->find_strays();
  }
  auto node = std::unique_ptr<Node>(new Node(std::move(parts)));
  TRY(node->parts_->listen());
  return node;
}

const std::vector<std::string>& Node::urls() const {
  return parts_->urls;
}

void Node::refresh_certificate(bool always) {
  if (parts_->settings.tls_certificate.empty()) {
    return;
  }
  const Time changed = parts_->certificate_changed_at();
  if (!always && changed == parts_->certificate_read_at) {
    return;
  }
  parts_->certificate_read_at = changed;
  const auto read = parts_->server->reload_tls();
  if (!read) {
    parts_->logger.error("the certificate was not read again; the old one stays",
                         {{"reason", read.error().message}});
    return;
  }
  parts_->logger.info("certificate read again");
}

/// A process that was killed leaves staged bytes that no row is about. Before the first request:
/// nobody is at work on any.
Result<void> Node::Parts::discard_staged_strays() {
  fsck::CheckOptions options;
  options.repair = true;
  options.extent = fsck::CheckOptions::Extent::kStaged;
  options.staged_age = std::chrono::seconds{0};
  const auto report = TRY(fsck::Check({*database, *store, locks}, options).run(std::stop_token()));
  if (report.repaired() > 0) {
    logger.info("discarded what requests of a process that was killed had staged",
                {{"uploads", report.repaired()}});
  }
  return {};
}

/// It may also have published a blob without naming it yet. Walks all files, so not before the
/// first request; what is found is removed by the collector.
void Node::Parts::find_strays(fsck::CheckOptions::Extent extent) {
  fsck::CheckOptions options;
  options.repair = true;
  options.extent = extent;
  if (const auto started = checks->start(options); !started) {
    logger.warning("blobs that a killed process left without a row are not looked for",
                   {{"reason", started.error().message}});
  }
}

/// Where others are at work nobody can tell at a start what a killed process left, so it is looked
/// for by its age: objects and staged uploads in turn, by one replica.
void Node::Parts::look_after_shared_store() {
  using Extent = fsck::CheckOptions::Extent;
  const auto now = std::chrono::steady_clock::now();
  if (!store->traits().shared || (strays_at && now < *strays_at)) {
    return;
  }
  if (!strays_at) {
    strays_at = now + kStraysFirst;
    return;
  }
  find_strays(staged_next ? Extent::kStaged : Extent::kFiles);
  staged_next = !staged_next;
  strays_at = now + kStraysFirst;
  if (!staged_next) {
    strays_at = now + kStraysEvery;
  }
}

void Node::Parts::fold_quota() {
  for (int batch = 0; batch < kFoldBatches; ++batch) {
    const auto folded = registry::fold_quota(*database, kTendBatch);
    if (!folded) {
      logger.warning("the quota ledger was not folded", {{"reason", folded.error().message}});
      return;
    }
    if (*folded < kTendBatch) {
      return;
    }
  }
}

void Node::tend() {
  if (!has_role(parts_->settings, "jobs") || !parts_->member->has_turn("upkeep")) {
    return;
  }
  // At every call: each push into a limited project pays for what is not folded.
  parts_->fold_quota();
  const auto now = std::chrono::steady_clock::now();
  if (now < parts_->tend_at) {
    return;
  }
  parts_->tend_at = now + kTendEvery;
  const auto warn = [&](std::string_view what, const Error& error) {
    parts_->logger.warning(what, {{"reason", error.message}});
  };
  if (const auto reaped = parts_->uploads->reap(kTendBatch); !reaped) {
    warn("expired uploads were not removed", reaped.error());
  }
  const auto finished =
      registry::finish_deletions(*parts_->database, parts_->registry_options, kTendBatch);
  if (!finished) {
    warn("deletions were not finished", finished.error());
  }
  parts_->trim_history();
  parts_->look_after_shared_store();
}

void Node::Parts::trim_history() {
  const auto now = std::chrono::steady_clock::now();
  if (history_at == 0 && now < trim_at) {
    return;
  }
  const registry::HistoryPolicy policy{settings.tag_history_max, settings.tag_history_age};
  const auto next = registry::trim_tag_history(*database, policy, history_at, kTrimBatch);
  if (!next) {
    logger.warning("the history of tags was not trimmed", {{"reason", next.error().message}});
    return;
  }
  history_at = *next;
  trim_at = now + kTrimEvery;
}

bool Node::drain(std::chrono::milliseconds limit) {
  parts_->readiness->drain();
  return parts_->server->drain(limit);
}

}  // namespace roadstead::app
