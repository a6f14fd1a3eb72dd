#include "app/gc_command.h"

#include <fmt/format.h>

#include "app/admin.h"
#include "app/data_directory.h"
#include "app/opening.h"
#include "app/version.h"
#include "base/log.h"
#include "registry/options.h"
#include "replica/member.h"
#include "sys/process.h"

namespace roadstead::app {
namespace {

using Print = std::function<void(std::string_view)>;

constexpr std::string_view kOperator = "command line";
constexpr std::chrono::seconds kAnswerTime{30};
constexpr std::size_t kLinesPerAnswer = 200;
/// How long one question waits for the run to get on.
constexpr std::chrono::milliseconds kTurn{500};

/// One page of what a run says, and where the next begins.
struct Progress {
  std::vector<std::string> lines;
  std::int64_t last = 0;
  std::string status;
  std::string message;
  bool over = false;
};

Result<Progress> progress_of(gc::Collector& collector, db::Database& database, gc::RunId id,
                             std::int64_t after) {
  const gc::Run run = TRY(collector.wait(id, kTurn));
  const auto lines = TRY(database.read(
      [&](db::ReadSession& session) { return gc::read_log(session, id, after, kLinesPerAnswer); }));
  Progress progress;
  progress.last = after;
  for (const gc::LogLine& line : lines) {
    progress.lines.push_back(line.text);
    progress.last = line.id;
  }
  progress.status = gc::to_string(run.status);
  progress.message = run.message;
  progress.over = run.over() && lines.size() < kLinesPerAnswer;
  return progress;
}

/// Asks until the run is over, printing what is new.
template <typename Ask>
Result<Progress> follow(const Print& print, Ask&& ask) {
  Progress progress;
  while (!progress.over) {
    progress = TRY(ask(progress.last));
    for (const std::string& line : progress.lines) {
      print(line + "\n");
    }
  }
  return progress;
}

std::string begin_request(const gc::Parameters& parameters) {
  json::Writer w;
  w.begin_object();
  w.member("command", kBeginCollection);
  w.member("delete_untagged", parameters.delete_untagged);
  w.member("dry_run", parameters.dry_run);
  w.member("workers", parameters.workers);
  w.end_object();
  return w.take();
}

Result<Progress> ask_progress(const Settings& settings, std::int64_t id, std::int64_t after) {
  json::Writer w;
  w.begin_object();
  w.member("command", kFollowCollection);
  w.member("id", id);
  w.member("after", after);
  w.end_object();
  auto answer = ask_server(settings, w.take(), kAnswerTime);
  if (!answer && answer.error().code == Code::kNotFound) {
    return Error{Code::kUnavailable,
                 Subject::kNone,
                 "the server was stopped; the next run goes on where this one ended",
                 {}};
  }
  const json::Document document = TRY(std::move(answer));
  const json::Value root = document.root();
  Progress progress;
  const json::Value lines = root["lines"];
  for (std::size_t i = 0; i < lines.size(); ++i) {
    progress.lines.emplace_back(lines.at(i).as_string().value_or(""));
  }
  progress.last = root["last"].as_int().value_or(after);
  progress.status = root["status"].as_string().value_or("");
  progress.message = root["message"].as_string().value_or("");
  progress.over = root["over"].as_bool().value_or(true);
  return progress;
}

Result<Progress> collect_here(const Settings& settings, const gc::Parameters& parameters,
                              const Print& print) {
  const auto stopped = TRY(StoppedInstallation::open(settings));
  const auto store = TRY(open_store(settings));
  storage::DigestLocks locks;
  const registry::Options options = TRY(registry_options(settings));
  const auto member = TRY(replica::Member::join(
      stopped->database(), {sys::host_name(), "gc", std::string(kVersion)}, stopped->logger()));
  gc::Collector collector({stopped->database(), *store, locks, options, *member, stopped->logger()},
                          {std::chrono::seconds{0}, false, {}});
  const gc::RunId id = TRY(collector.trigger(parameters, kOperator));
  return follow(print, [&](std::int64_t after) {
    return progress_of(collector, stopped->database(), id, after);
  });
}

}  // namespace

Result<void> begin_collection(gc::Collector& collector, json::Value request, json::Writer& w) {
  gc::Parameters parameters;
  parameters.delete_untagged = request["delete_untagged"].as_bool().value_or(false);
  parameters.dry_run = request["dry_run"].as_bool().value_or(false);
  parameters.workers = request["workers"].as_int().value_or(1);
  const gc::RunId id = TRY(collector.trigger(parameters, kOperator));
  w.member("id", id.value);
  return {};
}

Result<void> follow_collection(gc::Collector& collector, db::Database& database,
                               json::Value request, json::Writer& w) {
  const gc::RunId id{request["id"].as_int().value_or(0)};
  const Progress progress =
      TRY(progress_of(collector, database, id, request["after"].as_int().value_or(0)));
  w.key("lines");
  w.begin_array();
  for (const std::string& line : progress.lines) {
    w.value(line);
  }
  w.end_array();
  w.member("last", progress.last);
  w.member("status", progress.status);
  w.member("message", progress.message);
  w.member("over", progress.over);
  return {};
}

Result<void> collect_garbage(const Settings& settings, const gc::Parameters& parameters,
                             const Print& print) {
  const auto begun = ask_server(settings, begin_request(parameters), kAnswerTime);
  if (!begun && begun.error().code != Code::kNotFound) {
    return begun.error();
  }
  const auto ask = [&](std::int64_t after) {
    return ask_progress(settings, begun->root()["id"].as_int().value_or(0), after);
  };
  const Progress ended =
      TRY(begun ? follow(print, ask) : collect_here(settings, parameters, print));
  if (ended.status != gc::to_string(gc::Status::kSuccess)) {
    return Error{Code::kUnavailable,
                 Subject::kNone,
                 fmt::format("the garbage collection ended as {} {}", ended.status, ended.message),
                 {}};
  }
  return {};
}

}  // namespace roadstead::app
