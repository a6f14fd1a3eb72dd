#include <array>

#include <fmt/format.h>

#include "api/operation/listing.h"
#include "api/v2/internal/groups.h"
#include "base/clock.h"
#include "gc/collector.h"
#include "json/json.h"

namespace roadstead::api::internal {
namespace {

constexpr std::string_view kSingle = "/system/gc/{gc_id}";
constexpr std::string_view kScheduleType =
    "schedule.type in body should be one of [Hourly Daily Weekly Custom Manual None Schedule]";
/// What Go prints for no time at all; clients parse it.
constexpr std::string_view kNoTime = "0001-01-01T00:00:00.000Z";
constexpr std::size_t kLogPage = 1000;

const Schema& schedule_schema() {
  static const Schema kTiming{"ScheduleObj",
                              {{"type", Type::kString, "Manual: now; None: no schedule"},
                               {"cron", Type::kString, "", nullptr, 100},
                               {"next_scheduled_time", Type::kTime}}};
  static const Schema kParameters{
      "GCParameters",
      {{"delete_untagged", Type::kBoolean, "Whether untagged artifacts go as well"},
       {"dry_run", Type::kBoolean, "Only lists in its log what a run would remove"},
       {"workers", Type::kInteger, "1 to 10 threads that remove content from the store"}}};
  static const Schema kSchema{
      "Schedule",
      {{"schedule", Type::kObject, "", &kTiming}, {"parameters", Type::kObject, "", &kParameters}}};
  return kSchema;
}

const Schema& history_schema() {
  static const Schema kSchema{
      "GCHistory",
      {{"id", Type::kInteger},
       {"job_name", Type::kString},
       {"job_kind", Type::kString,
        "MANUAL, or SCHEDULE for runs that the collector makes by itself"},
       {"job_parameters", Type::kString,
        "JSON: the parameters, and freed_space, purged_blobs, purged_manifests so far"},
       {"job_status", Type::kString, "Pending, Running, Success, Stopped or Error"},
       {"deleted", Type::kBoolean},
       {"creation_time", Type::kTime},
       {"update_time", Type::kTime}}};
  return kSchema;
}

std::string parameters_json(const gc::Run& run, std::chrono::seconds grace) {
  json::Writer w;
  w.begin_object();
  w.member("condemned", run.counters.condemned);
  w.member("delete_tag", false);
  w.member("delete_untagged", run.parameters.delete_untagged);
  w.member("dry_run", run.parameters.dry_run);
  if (!run.message.empty()) {
    w.member("error", run.message);
  }
  w.member("freed_space", run.counters.freed_space);
  w.member("purged_artifacts", run.counters.purged_artifacts);
  w.member("purged_blobs", run.counters.purged_blobs);
  w.member("purged_manifests", run.counters.purged_manifests);
  w.member("reviewed", run.counters.reviewed);
  w.member("time_window", std::chrono::duration_cast<std::chrono::hours>(grace).count());
  w.member("workers", run.parameters.workers);
  w.end_object();
  return w.take();
}

void write_run(json::Writer& w, const gc::Run& run, std::chrono::seconds grace) {
  const bool manual = run.cause == gc::Cause::kManual;
  w.begin_object();
  w.member("creation_time", format_rfc3339(run.creation_time));
  w.member("id", run.id.value);
  w.member("job_kind", manual ? "MANUAL" : "SCHEDULE");
  w.member("job_name", "GARBAGE_COLLECTION");
  w.member("job_parameters", parameters_json(run, grace));
  w.member("job_status", to_string(run.status));
  w.key("schedule");
  w.begin_object();
  w.member("next_scheduled_time", kNoTime);
  w.member("type", manual ? "Manual" : "Schedule");
  w.end_object();
  w.member("update_time", format_rfc3339(run.update_time));
  w.end_object();
}

gc::RunId run_id(const Call& call) {
  return gc::RunId{call.path_integer("gc_id")};
}

Error not_found(std::string message) {
  return Error{Code::kNotFound, Subject::kRequest, std::move(message), {}};
}

Result<http::Response> list_history(std::chrono::seconds grace, const Call& call,
                                    db::ReadSession& session) {
  const auth::ListQuery query = TRY(parse_list_query(call.query));
  const auto page = TRY(gc::list_runs(session, query));
  json::Writer w;
  w.begin_array();
  for (const gc::Run& run : page.items) {
    write_run(w, run, grace);
  }
  w.end_array();
  http::Response response = json_response(w.take());
  add_page_headers(response, call.request, call.query, query, page.total);
  return response;
}

Result<http::Response> get_run(std::chrono::seconds grace, const Call& call,
                               db::ReadSession& session) {
  const auto run = TRY(gc::find_run(session, run_id(call)));
  if (!run) {
    return not_found(fmt::format("garbage collection execution {} not found", run_id(call).value));
  }
  json::Writer w;
  write_run(w, *run, grace);
  return json_response(w.take());
}

Result<http::Response> get_log(db::Database& database, const Call& call) {
  const gc::RunId id = run_id(call);
  const auto run =
      TRY(database.read([&](db::ReadSession& session) { return gc::find_run(session, id); }));
  if (!run) {
    return not_found(fmt::format("garbage collection {} log is not found", id.value));
  }
  std::string text;
  std::int64_t after = 0;
  for (std::size_t got = kLogPage; got == kLogPage;) {
    const auto lines = TRY(database.read(
        [&](db::ReadSession& session) { return gc::read_log(session, id, after, kLogPage); }));
    for (const gc::LogLine& line : lines) {
      text += fmt::format("{} [INFO] {}\n", format_rfc3339(line.time), line.text);
      after = line.id;
    }
    got = lines.size();
  }
  http::Response response(200);
  response.set_body(std::move(text), "text/plain");
  return response;
}

Result<http::Response> stop_run(gc::Collector& collector, const Call& call) {
  if (const auto stopped = collector.stop(run_id(call)); !stopped) {
    return stopped.error().code == Code::kNotFound
               ? not_found(fmt::format("execution {} not found", run_id(call).value))
               : stopped.error();
  }
  return empty_response();
}

/// The parameters of a run to begin now; nothing when the body asks for no run.
Result<std::optional<gc::Parameters>> requested_run(const Call& call) {
  const std::string type = call.body.object("schedule").text("type");
  if (type == "None") {
    return std::optional<gc::Parameters>();
  }
  constexpr std::array<std::string_view, 5> kTimed{"Hourly", "Daily", "Weekly", "Custom",
                                                   "Schedule"};
  if (std::find(kTimed.begin(), kTimed.end(), type) != kTimed.end()) {
    return Error{Code::kInvalid,
                 Subject::kNone,
                 "garbage is collected all the time, by the interval of the setting gc.interval: "
                 "there is no cron schedule to set",
                 {}};
  }
  if (type != "Manual") {
    return validation_error(fmt::format("validation failure list:\n{}", kScheduleType));
  }
  const Fields fields = call.body.object("parameters");
  gc::Parameters parameters;
  parameters.delete_untagged = fields.boolean("delete_untagged");
  parameters.dry_run = fields.boolean("dry_run");
  parameters.workers = fields.maybe_integer("workers").value_or(1);
  return std::optional(parameters);
}

Result<http::Response> change_schedule(gc::Collector& collector, const Call& call, bool create) {
  const auto parameters = TRY(requested_run(call));
  if (!parameters) {
    return empty_response(create ? 201 : 200);
  }
  const auto id = collector.trigger(*parameters, call.caller.name);
  if (!id) {
    Error error = id.error();
    error.subject = Subject::kNone;
    return error;
  }
  return create ? created_response(fmt::format("{}/system/gc/{}", kV2Base, id->value))
                : empty_response();
}

void add_schedule_operations(std::vector<Operation>& operations, gc::Collector* collector) {
  using auth::Action;
  using auth::Permission;
  using auth::Resource;
  operations.push_back(
      {http::Method::kGet, "/system/gc/schedule",
       Permission::system(Resource::kGarbageCollection, Action::kRead),
       plain([](const Call&) -> Result<http::Response> { return json_response({}); }),
       Documentation{.id = "getGCSchedule",
                     .summary = "Empty: there is no cron schedule, collection never pauses",
                     .tag = "gc",
                     .cheap = true}});
  operations.push_back(
      {http::Method::kPost, "/system/gc/schedule",
       Permission::system(Resource::kGarbageCollection, Action::kCreate),
       plain([collector](const Call& call) { return change_schedule(*collector, call, true); }),
       Documentation{.id = "createGCSchedule",
                     .summary = "Begins a run (type Manual)",
                     .tag = "gc",
                     .body = &schedule_schema(),
                     .body_name = "schedule",
                     .success = 201}});
  operations.push_back(
      {http::Method::kPut, "/system/gc/schedule",
       Permission::system(Resource::kGarbageCollection, Action::kUpdate),
       plain([collector](const Call& call) { return change_schedule(*collector, call, false); }),
       Documentation{.id = "updateGCSchedule",
                     .summary = "Begins a run (type Manual)",
                     .tag = "gc",
                     .body = &schedule_schema(),
                     .body_name = "schedule"}});
}

}  // namespace

void add_gc_operations(std::vector<Operation>& operations, const V2Parts& parts) {
  using auth::Action;
  using auth::Permission;
  using auth::Resource;
  const std::chrono::seconds grace = parts.registry_options.grace;
  const std::vector<Parameter> by_id{
      {.name = "gc_id", .in = Parameter::In::kPath, .type = Type::kInteger, .required = true}};
  operations.push_back({http::Method::kGet, "/system/gc",
                        Permission::system(Resource::kGarbageCollection, Action::kList),
                        reads([grace](const Call& call, db::ReadSession& session) {
                          return list_history(grace, call, session);
                        }),
                        Documentation{.id = "getGCHistory",
                                      .summary = "Runs of the garbage collector, newest first",
                                      .tag = "gc",
                                      .parameters = list_parameters(),
                                      .response = &history_schema(),
                                      .response_is_list = true}});
  add_schedule_operations(operations, parts.collector);
  operations.push_back({http::Method::kGet, kSingle,
                        Permission::system(Resource::kGarbageCollection, Action::kRead),
                        reads([grace](const Call& call, db::ReadSession& session) {
                          return get_run(grace, call, session);
                        }),
                        Documentation{.id = "getGC",
                                      .summary = "One run, with its progress so far",
                                      .tag = "gc",
                                      .parameters = by_id,
                                      .response = &history_schema()}});
  operations.push_back(
      {http::Method::kPut, kSingle, Permission::system(Resource::kGarbageCollection, Action::kStop),
       plain(
           [collector = parts.collector](const Call& call) { return stop_run(*collector, call); }),
       Documentation{.id = "stopGC",
                     .summary = "Ends a run at its next step; the next run goes on there",
                     .tag = "gc",
                     .parameters = by_id}});
  operations.push_back(
      {http::Method::kGet, "/system/gc/{gc_id}/log",
       Permission::system(Resource::kGarbageCollection, Action::kRead),
       plain([&database = parts.database](const Call& call) { return get_log(database, call); }),
       Documentation{.id = "getGCLog",
                     .summary = "The log of a run",
                     .tag = "gc",
                     .parameters = by_id,
                     .produces = "text/plain"}});
}

}  // namespace roadstead::api::internal
