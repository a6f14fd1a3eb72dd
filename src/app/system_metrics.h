#pragma once

#include "auth/token_service.h"
#include "db/database.h"
#include "fsck/scrubber.h"
#include "gc/collector.h"
#include "http/server.h"
#include "metrics/metrics.h"
#include "sys/thread_pool.h"

namespace roadstead::app {

/// Exposes what the parts of the process count themselves: process, database, worker pool. They
/// outlive the registry's last exposition.
void export_process(metrics::Registry& metrics, const db::Database& database,
                    const sys::ThreadPool& workers);
/// How often a remembered token saved the check of a signature.
void export_tokens(metrics::Registry& metrics, const auth::TokenService& tokens);
/// How much stored content was verified, and how far that is.
void export_scrubber(metrics::Registry& metrics, const fsck::Scrubber& scrubber);
/// What garbage collections of this process removed.
void export_collector(metrics::Registry& metrics, const gc::Collector& collector);
/// The network edge; separate because it starts last and stops first.
void export_server(metrics::Registry& metrics, http::Server& server);

}  // namespace roadstead::app
