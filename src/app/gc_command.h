#pragma once

#include <functional>
#include <string_view>

#include "app/settings.h"
#include "base/result.h"
#include "db/database.h"
#include "gc/collector.h"
#include "json/json.h"

namespace roadstead::app {

/// Collects garbage and prints the log while it grows: in the running server when there is one,
/// else by taking the data directory's lock. Errors: why the run did not begin, or did not succeed.
Result<void> collect_garbage(const Settings& settings, const gc::Parameters& parameters,
                             const std::function<void(std::string_view)>& print);

/// The server's end of it, over the admin socket: what begins a run, and a page of its log.
inline constexpr std::string_view kBeginCollection = "gc";
inline constexpr std::string_view kFollowCollection = "gc-log";
Result<void> begin_collection(gc::Collector& collector, json::Value request, json::Writer& w);
Result<void> follow_collection(gc::Collector& collector, db::Database& database,
                               json::Value request, json::Writer& w);

}  // namespace roadstead::app
