#include "app/fsck_command.h"

#include <chrono>

#include <fmt/format.h>

#include "app/admin.h"
#include "app/opening.h"
#include "base/log.h"
#include "json/json.h"
#include "sys/local_socket.h"

namespace roadstead::app {
namespace {

constexpr int kClean = 0;
constexpr int kFindingsRemain = 1;
constexpr int kRepaired = 3;
constexpr int kCouldNotCheck = 4;

constexpr std::string_view kStart = "fsck";
constexpr std::string_view kStatus = "fsck-status";
constexpr std::chrono::seconds kAnswerTime{30};
/// How long an answer waits for the end of the check: other commands wait for it meanwhile.
constexpr std::chrono::milliseconds kStatusWait{500};
/// Reading every byte of a large store takes its time.
constexpr std::chrono::hours kCheckTimeMax{7 * 24};
/// An answer of the socket is 64 KiB at most.
constexpr std::size_t kServerReportMax = std::size_t{48} << 10U;
constexpr std::size_t kReportMax = std::size_t{1} << 20U;

Error not_understood() {
  return {Code::kInvalid,
          Subject::kRequest,
          "the running server does not know this command; are both programs of one version?",
          {}};
}

std::string start_request(const FsckCommand& command) {
  json::Writer request;
  request.begin_object();
  request.member("command", kStart);
  request.member("repair", command.repair);
  request.member("deep", command.deep);
  request.member("left_behind", command.left_behind);
  request.end_object();
  return request.take();
}

std::string status_request() {
  json::Writer request;
  request.begin_object();
  request.member("command", kStatus);
  request.end_object();
  return request.take();
}

/// The report as JSON. Errors: kNotFound + kNone when no server runs.
Result<std::string> check_in_server(const Settings& settings, const FsckCommand& command) {
  TRY(ask_server(settings, start_request(command), kAnswerTime));
  const auto deadline = std::chrono::steady_clock::now() + kCheckTimeMax;
  while (std::chrono::steady_clock::now() < deadline) {
    const auto status = ask_server(settings, status_request(), kAnswerTime);
    if (!status) {
      return Error{Code::kUnavailable,
                   Subject::kNone,
                   "the server that was checking: " + status.error().message,
                   {}};
    }
    if (const json::Value report = status->root()["report"]; report.present()) {
      return report.to_text();
    }
    if (!status->root()["running"].present()) {
      return not_understood();
    }
  }
  return Error{Code::kUnavailable, Subject::kNone, "the check takes too long", {}};
}

Result<std::string> check_directly(const Settings& settings, const FsckCommand& command) {
  TRY(require_installation(settings));
  const auto stopped = TRY(StoppedInstallation::open(settings));
  const auto store = TRY(open_store(settings));
  storage::DigestLocks locks;
  fsck::Check check({stopped->database(), *store, locks},
                    {command.repair, command.deep, settings.sparse_indexes, command.left_behind});
  const fsck::Report report = TRY(check.run(std::stop_token()));
  return fsck::to_json(report, kReportMax);
}

Result<std::string> check(const Settings& settings, const FsckCommand& command) {
  auto report = check_in_server(settings, command);
  if (!report && report.error().code == Code::kNotFound) {
    return check_directly(settings, command);
  }
  return report;
}

int exit_code(json::Value report) {
  const std::int64_t found = report["found"].as_int().value_or(0);
  const std::int64_t repaired = report["repaired"].as_int().value_or(0);
  if (found == 0) {
    return kClean;
  }
  return repaired < found ? kFindingsRemain : kRepaired;
}

Result<int> print_report(const std::string& report, const FsckCommand& command,
                         const Output& output) {
  const json::Document document = TRY(json::Document::parse(report));
  if (command.json) {
    output.print(report + "\n");
  } else {
    output.print(TRY(fsck::to_text(document.root())));
  }
  return exit_code(document.root());
}

void write_status(json::Writer& answer, const fsck::Runner::Status& status) {
  if (status.running) {
    answer.member("running", true);
    answer.member("stage", status.stage);
    return;
  }
  if (!status.outcome) {
    answer.member("error", "no check was made");
  } else if (!*status.outcome) {
    answer.member("error", "the check failed: " + status.outcome->error().message);
  } else {
    answer.key("report");
    answer.raw(fsck::to_json(**status.outcome, kServerReportMax));
  }
}

}  // namespace

int run_fsck(const Settings& settings, const FsckCommand& command, const Output& output) {
  const auto report = check(settings, command);
  const auto code = report ? print_report(*report, command, output) : report.error();
  if (!code) {
    output.print_error(fmt::format("roadstead: {}\n", code.error().message));
    return kCouldNotCheck;
  }
  return *code;
}

std::optional<std::string> answer_fsck_request(fsck::Runner& runner, bool sparse_indexes,
                                               std::string_view request) {
  const auto document = json::Document::parse(request);
  if (!document) {
    return std::nullopt;
  }
  const json::Value root = document->root();
  const auto command = root["command"].as_string();
  if (command != kStart && command != kStatus) {
    return std::nullopt;
  }
  json::Writer answer;
  answer.begin_object();
  if (command == kStart) {
    const auto started = runner.start({root["repair"].as_bool().value_or(false),
                                       root["deep"].as_bool().value_or(false), sparse_indexes,
                                       root["left_behind"].as_bool().value_or(false)});
    if (!started) {
      answer.member("error", started.error().message);
    }
  } else {
    write_status(answer, runner.wait(kStatusWait));
  }
  answer.end_object();
  return answer.take();
}

}  // namespace roadstead::app
