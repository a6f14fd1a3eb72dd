#include "app/copy_source.h"

#include <utility>

#include "app/admin.h"
#include "app/opening.h"
#include "base/log.h"
#include "json/json.h"

namespace roadstead::app {
namespace {

// Requests on the admin socket.
constexpr std::string_view kAsk = "copy-ask";
constexpr std::string_view kHold = "copy-hold";
constexpr std::string_view kRenew = "copy-renew";
constexpr std::string_view kRelease = "copy-release";
constexpr std::string_view kDatabase = "copy-database";

/// The socket answers one request after the other, and a copy of the database may come before ours.
constexpr std::chrono::minutes kAnswerTime{10};
/// A gigabyte takes seconds; this is for slow disks.
constexpr std::chrono::hours kCopyTime{6};

struct Request {
  std::string_view command;
  std::string_view text;  ///< Owner, id or path.
  std::int64_t seconds = 0;
};

/// The id of a new hold, or "".
Result<std::string> perform(backup::Source& source, const Request& request) {
  const std::chrono::seconds duration(request.seconds);
  if (request.command == kAsk) {
    return std::string();
  }
  if (request.command == kDatabase) {
    const std::filesystem::path path(request.text);
    if (!path.is_absolute()) {
      return Error{Code::kInvalid, Subject::kRequest, "the path must be absolute", {}};
    }
    TRY(source.copy_database(path));
    return std::string();
  }
  if (request.command == kRelease) {
    TRY(source.release_hold(std::string(request.text)));
    return std::string();
  }
  if (duration.count() <= 0) {
    return Error{Code::kInvalid, Subject::kRequest, "a hold needs a duration", {}};
  }
  if (request.command == kHold) {
    return source.take_hold(request.text, duration);
  }
  TRY(source.renew_hold(std::string(request.text), duration));
  return std::string();
}

bool is_copy_request(std::string_view command) {
  return command == kAsk || command == kHold || command == kRenew || command == kRelease ||
         command == kDatabase;
}

/// A running server.
class SocketSource final : public backup::Source {
 public:
  explicit SocketSource(const Settings& settings) : settings_(settings) {}

  Result<void> ask() { return ignore(call({kAsk, {}, 0}, kAnswerTime)); }
  Result<std::string> take_hold(std::string_view owner, std::chrono::seconds duration) override {
    return call({kHold, owner, duration.count()}, kAnswerTime);
  }
  Result<void> renew_hold(const std::string& id, std::chrono::seconds duration) override {
    return ignore(call({kRenew, id, duration.count()}, kAnswerTime));
  }
  Result<void> release_hold(const std::string& id) override {
    return ignore(call({kRelease, id, 0}, kAnswerTime));
  }
  Result<void> copy_database(const std::filesystem::path& to) override {
    // The server has a working directory of its own.
    const std::string path = std::filesystem::absolute(to).string();
    return ignore(call({kDatabase, path, 0}, kCopyTime));
  }

 private:
  static Result<void> ignore(const Result<std::string>& answer) {
    return answer ? Result<void>() : Result<void>(answer.error());
  }

  Result<std::string> call(const Request& request, std::chrono::milliseconds timeout) {
    json::Writer w;
    w.begin_object();
    w.member("command", request.command);
    w.member("text", request.text);
    w.member("seconds", request.seconds);
    w.end_object();
    const json::Document document = TRY(ask_server(settings_, w.take(), timeout));
    return std::string(document.root()["id"].as_string().value_or(""));
  }

  const Settings& settings_;
};

/// An installation without a server: ours while this lives.
class LockedSource final : public backup::Source {
 public:
  static Result<std::unique_ptr<backup::Source>> open(const Settings& settings) {
    TRY(require_installation(settings));
    return std::unique_ptr<backup::Source>(
        std::make_unique<LockedSource>(TRY(StoppedInstallation::open(settings))));
  }
  explicit LockedSource(std::unique_ptr<StoppedInstallation> stopped)
      : stopped_(std::move(stopped)), real_(stopped_->database()) {}

  Result<std::string> take_hold(std::string_view owner, std::chrono::seconds duration) override {
    return real_.take_hold(owner, duration);
  }
  Result<void> renew_hold(const std::string& id, std::chrono::seconds duration) override {
    return real_.renew_hold(id, duration);
  }
  Result<void> release_hold(const std::string& id) override { return real_.release_hold(id); }
  Result<void> copy_database(const std::filesystem::path& to) override {
    return real_.copy_database(to);
  }

 private:
  std::unique_ptr<StoppedInstallation> stopped_;
  backup::DatabaseSource real_;
};

}  // namespace

std::optional<std::string> answer_copy_request(db::Database& database, std::string_view request) {
  const auto document = json::Document::parse(request);
  if (!document) {
    return std::nullopt;
  }
  const json::Value root = document->root();
  const Request asked{root["command"].as_string().value_or(""),
                      root["text"].as_string().value_or(""), root["seconds"].as_int().value_or(0)};
  if (!is_copy_request(asked.command)) {
    return std::nullopt;
  }
  backup::DatabaseSource source(database);
  const auto done = perform(source, asked);
  json::Writer answer;
  answer.begin_object();
  answer.member(done ? "id" : "error", done ? *done : done.error().message);
  answer.end_object();
  return answer.take();
}

Result<std::unique_ptr<backup::Source>> open_copy_source(const Settings& settings) {
  auto running = std::make_unique<SocketSource>(settings);
  const auto answered = running->ask();
  if (answered) {
    return std::unique_ptr<backup::Source>(std::move(running));
  }
  if (answered.error().code != Code::kNotFound) {
    return answered.error();
  }
  return LockedSource::open(settings);
}

}  // namespace roadstead::app
