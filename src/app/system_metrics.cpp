#include "app/system_metrics.h"

#include "app/version.h"
#include "sys/process.h"

namespace roadstead::app {
namespace {

/// Of a database server.
void export_connections(metrics::Registry& metrics, const db::Database& database) {
  auto& busy = metrics.gauge("roadstead_database_connections_busy", "Connections in use");
  auto& idle = metrics.gauge("roadstead_database_connections_idle", "Connections kept for later");
  auto& connects = metrics.gauge("roadstead_database_connects_total", "Connections opened");
  auto& losses = metrics.gauge("roadstead_database_losses_total",
                               "Connections that broke or did not answer in time");
  auto& round_trips = metrics.gauge("roadstead_database_round_trips_total",
                                    "Times that sessions waited for an answer of the server");
  auto& retries = metrics.gauge("roadstead_database_retries_total",
                                "Transactions run again after a conflict or a loss");
  auto& refusals = metrics.gauge("roadstead_database_refusals_total",
                                 "Sessions refused: no connection was free, or the server is away");
  metrics.before_scrape([&] {
    const db::Statistics statistics = database.statistics();
    busy.set(static_cast<double>(statistics.connections_busy));
    idle.set(static_cast<double>(statistics.connections_idle));
    connects.set(static_cast<double>(statistics.connects));
    losses.set(static_cast<double>(statistics.connection_losses));
    round_trips.set(static_cast<double>(statistics.round_trips));
    retries.set(static_cast<double>(statistics.retries));
    refusals.set(static_cast<double>(statistics.refusals));
  });
}

}  // namespace

void export_process(metrics::Registry& metrics, const db::Database& database,
                    const sys::ThreadPool& workers) {
  metrics
      .gauge("roadstead_build_info", "Always 1; the label names the version",
             {{"version", std::string(kVersion)}})
      .set(1);
  // The names that Prometheus client libraries use for every process.
  auto& resident = metrics.gauge("process_resident_memory_bytes", "Resident memory");
  auto& cpu = metrics.gauge("process_cpu_seconds_total", "User and system CPU time");
  auto& descriptors = metrics.gauge("process_open_fds", "Open file descriptors");
  auto& descriptors_max = metrics.gauge("process_max_fds", "Limit of open file descriptors");
  auto& threads = metrics.gauge("process_threads", "Threads");
  auto& started = metrics.gauge("process_start_time_seconds", "Start of the process, Unix time");
  auto& queued = metrics.gauge("roadstead_workers_queued", "Requests that wait for a worker");
  auto& busy = metrics.gauge("roadstead_workers_busy", "Workers that run a request");
  auto& commits = metrics.gauge("roadstead_database_commits_total", "Transactions made durable");
  auto& functions = metrics.gauge("roadstead_database_writes_total",
                                  "Changes committed; several share one transaction");
  auto& reads = metrics.gauge("roadstead_database_reads_total", "Read sessions");
  auto& write_queue =
      metrics.gauge("roadstead_database_write_queue", "Changes that wait for the writer");
  auto& wal = metrics.gauge("roadstead_database_wal_bytes", "Size of the write-ahead log");
  auto& statements = metrics.gauge("roadstead_database_statements_total", "Statements run");
  auto& retries = metrics.gauge("roadstead_database_retries_total",
                                "Functions run again after a conflict or a lost connection");
  auto& connects = metrics.gauge("roadstead_database_connects_total", "Connections opened");
  auto& losses = metrics.gauge("roadstead_database_connection_losses_total",
                               "Connections that broke or did not answer in time");
  auto& refusals = metrics.gauge("roadstead_database_refusals_total",
                                 "Sessions for which no connection was to be had");
  auto& connections_busy =
      metrics.gauge("roadstead_database_connections_busy", "Connections in use");
  auto& connections_idle =
      metrics.gauge("roadstead_database_connections_idle", "Connections kept open");
  metrics.before_scrape([&] {
    const sys::ProcessUsage usage = sys::process_usage();
    resident.set(static_cast<double>(usage.resident_bytes));
    cpu.set(usage.cpu_seconds);
    descriptors.set(static_cast<double>(usage.open_descriptors));
    descriptors_max.set(static_cast<double>(usage.descriptor_limit));
    threads.set(static_cast<double>(usage.threads));
    started.set(usage.started_at_seconds);
    queued.set(static_cast<double>(workers.queued()));
    busy.set(static_cast<double>(workers.busy()));
    const db::Statistics statistics = database.statistics();
    commits.set(static_cast<double>(statistics.commits));
    functions.set(static_cast<double>(statistics.write_functions));
    reads.set(static_cast<double>(statistics.read_sessions));
    write_queue.set(static_cast<double>(statistics.write_queue_length));
    wal.set(static_cast<double>(statistics.wal_bytes));
    statements.set(static_cast<double>(statistics.statements));
    retries.set(static_cast<double>(statistics.retries));
    connects.set(static_cast<double>(statistics.connects));
    losses.set(static_cast<double>(statistics.connection_losses));
    refusals.set(static_cast<double>(statistics.refusals));
    connections_busy.set(static_cast<double>(statistics.connections_busy));
    connections_idle.set(static_cast<double>(statistics.connections_idle));
  });
  if (!database.reads_are_local()) {
    export_connections(metrics, database);
  }
}

void export_tokens(metrics::Registry& metrics, const auth::TokenService& tokens) {
  auto& remembered = metrics.gauge("roadstead_tokens_remembered_total",
                                   "Bearer tokens whose signature was verified before");
  auto& verified = metrics.gauge("roadstead_tokens_verified_total",
                                 "Bearer tokens whose signature had to be verified");
  metrics.before_scrape([&] {
    const auth::TokenService::Statistics statistics = tokens.statistics();
    remembered.set(static_cast<double>(statistics.remembered));
    verified.set(static_cast<double>(statistics.verified));
  });
}

void export_collector(metrics::Registry& metrics, const gc::Collector& collector) {
  auto& runs = metrics.gauge("roadstead_gc_runs_total", "Garbage collections that ended");
  auto& failed = metrics.gauge("roadstead_gc_failed_runs_total", "Of those, how many failed");
  auto& running = metrics.gauge("roadstead_gc_running", "1 while garbage is collected");
  auto& blobs = metrics.gauge("roadstead_gc_purged_blobs_total", "Blobs removed");
  auto& manifests = metrics.gauge("roadstead_gc_purged_manifests_total", "Manifests removed");
  auto& artifacts =
      metrics.gauge("roadstead_gc_purged_artifacts_total", "Untagged artifacts removed");
  auto& bytes =
      metrics.gauge("roadstead_gc_freed_bytes_total", "Bytes of blobs and manifests removed");
  metrics.before_scrape([&] {
    const gc::Collector::Totals totals = collector.totals();
    runs.set(static_cast<double>(totals.runs));
    failed.set(static_cast<double>(totals.failed_runs));
    running.set(totals.running ? 1 : 0);
    blobs.set(static_cast<double>(totals.counters.purged_blobs));
    manifests.set(static_cast<double>(totals.counters.purged_manifests));
    artifacts.set(static_cast<double>(totals.counters.purged_artifacts));
    bytes.set(static_cast<double>(totals.counters.freed_space));
  });
}

void export_scrubber(metrics::Registry& metrics, const fsck::Scrubber& scrubber) {
  auto& bytes = metrics.gauge("roadstead_scrub_bytes_total", "Stored bytes that were verified");
  auto& blobs = metrics.gauge("roadstead_scrub_blobs_total", "Blobs that were verified");
  auto& damaged = metrics.gauge("roadstead_scrub_damaged_total", "Blobs that were found damaged");
  auto& oldest =
      metrics.gauge("roadstead_scrub_oldest_age_seconds",
                    "How long ago the blob was verified that was not verified for longest");
  metrics.before_scrape([&] {
    const fsck::Scrubber::Statistics statistics = scrubber.statistics();
    bytes.set(static_cast<double>(statistics.bytes));
    blobs.set(static_cast<double>(statistics.blobs));
    damaged.set(static_cast<double>(statistics.damaged));
    if (const auto age = scrubber.oldest_age()) {
      oldest.set(static_cast<double>(age->count()));
    }
  });
}

void export_server(metrics::Registry& metrics, http::Server& server) {
  auto& open = metrics.gauge("roadstead_http_connections_open", "Open connections");
  auto& accepted =
      metrics.gauge("roadstead_http_connections_accepted_total", "Connections accepted");
  auto& uploads =
      metrics.gauge("roadstead_http_uploads_in_progress", "Request bodies being streamed");
  auto& refused = metrics.gauge("roadstead_http_refused_total", "Requests the edge refused itself");
  auto& delay = metrics.gauge("roadstead_http_loop_delay_seconds_max",
                              "Longest lateness of an I/O thread since the last scrape");
  metrics.before_scrape([&] {
    const http::ServerStatistics statistics = server.statistics();
    open.set(static_cast<double>(statistics.connections_open));
    accepted.set(static_cast<double>(statistics.connections_accepted));
    uploads.set(static_cast<double>(statistics.uploads_streaming));
    refused.set(static_cast<double>(statistics.requests_refused));
    delay.set(statistics.loop_delay_seconds_max);
  });
}

}  // namespace roadstead::app
