#include "app/import_command.h"

#include <chrono>
#include <filesystem>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "app/admin.h"
#include "app/opening.h"
#include "importer/report.h"
#include "importer/source_tree.h"
#include "json/json.h"
#include "sys/file.h"

namespace roadstead::app {
namespace {

namespace fs = std::filesystem;
using importer::ImportOptions;
using importer::ImportReport;
using importer::SourceTree;

constexpr int kImported = 0;
constexpr int kLeftOut = 1;
constexpr int kUsage = 2;
constexpr int kNotEnded = 4;

constexpr std::string_view kStart = "import-distribution";
constexpr std::string_view kStatus = "import-status";
constexpr std::chrono::seconds kAnswerTime{30};
/// How long an answer waits for the end: other commands wait for it meanwhile.
constexpr std::chrono::milliseconds kStatusWait{500};
constexpr std::chrono::seconds kProgressEvery{5};
/// Copying a large store takes its time.
constexpr std::chrono::hours kImportTimeMax{14 * 24};
/// An answer of the socket is 64 KiB at most.
constexpr std::size_t kReportMax = std::size_t{48} << 10U;

Error refused(std::string message) {
  return Error{Code::kInvalid, Subject::kConfiguration, std::move(message), {}};
}

bool is_bucket(std::string_view place) {
  return place.starts_with("s3://");
}

/// Content is taken over where it lies only if that is where the store looks for it. `url` is what
/// storage_url would be then.
Result<void> check_place(const Settings& settings, std::string_view root, std::string_view url,
                         bool is_store, bool copy) {
  if (is_store && copy) {
    return refused(fmt::format(
        "{} is the store itself: without --copy its content is used where it lies", root));
  }
  if (!is_store && !copy) {
    return refused(fmt::format(
        "{} is not the store, which is {}. To use its content where it lies, set storage_url to "
        "{}, restart the server if one runs, and import again; to copy it into the store, add "
        "--copy",
        root,
        is_bucket(settings.storage_url) ? settings.storage_url : store_directory(settings).string(),
        url));
  }
  return {};
}

Result<std::unique_ptr<SourceTree>> open_directory(const Settings& settings, const fs::path& root,
                                                   bool copy) {
  if (!TRY(sys::exists(root))) {
    return refused(fmt::format("{} does not exist", root.string()));
  }
  std::error_code unknown;
  const bool is_store =
      !is_bucket(settings.storage_url) && fs::equivalent(root, store_directory(settings), unknown);
  TRY(check_place(settings, root.string(), "file:" + root.string(), is_store, copy));
  return importer::open_directory_tree(root);
}

Result<std::unique_ptr<SourceTree>> open_bucket(const Settings& settings, const std::string& root,
                                                bool copy) {
  auto options = s3_options(root);
  if (!options) {
    return refused("--root: " + options.error().message);
  }
  bool is_store = false;
  if (is_bucket(settings.storage_url)) {
    auto store = TRY(s3_options(settings.storage_url));
    is_store = store.bucket == options->bucket && store.prefix == options->prefix &&
               store.endpoint == options->endpoint;
    if (is_store) {
      // It may say more of the way there.
      options = std::move(store);
    }
  }
  TRY(check_place(settings, root, root, is_store, copy));
  return importer::open_object_tree(*options);
}

Result<std::unique_ptr<SourceTree>> open_source(const Settings& settings, const std::string& root,
                                                bool copy) {
  return is_bucket(root) ? open_bucket(settings, root, copy) : open_directory(settings, root, copy);
}

struct Command {
  std::string root;
  ImportOptions options;

  [[nodiscard]] std::string request() const {
    json::Writer w;
    w.begin_object();
    w.member("command", kStart);
    w.member("root", root);
    w.member("project", options.project);
    w.member("public", options.public_projects);
    w.member("verify", options.verify);
    w.member("copy", options.copy);
    w.member("move_tags", options.move_tags);
    w.end_object();
    return w.take();
  }
  static Command from(json::Value root) {
    const auto flag = [&](std::string_view name) { return root[name].as_bool().value_or(false); };
    Command command;
    command.root = root["root"].as_string().value_or("");
    command.options.project = root["project"].as_string().value_or("");
    command.options.public_projects = flag("public");
    command.options.verify = flag("verify");
    command.options.copy = flag("copy");
    command.options.move_tags = flag("move_tags");
    return command;
  }
};

Result<void> start(importer::Runner& runner, const Settings& settings, const Command& command) {
  return runner.start(TRY(open_source(settings, command.root, command.options.copy)),
                      command.options);
}

void write_status(json::Writer& w, const importer::Runner::Status& status) {
  if (status.running) {
    ImportReport progress = status.progress;
    progress.problems.clear();
    w.key("progress");
    w.raw(importer::to_json(progress, kReportMax));
  } else if (!status.outcome) {
    w.member("error", "no import was made");
  } else if (!*status.outcome) {
    w.member("error", status.outcome->error().message);
  } else {
    w.key("report");
    w.raw(importer::to_json(**status.outcome, kReportMax));
  }
}

/// Tells now and then how far an import is.
class ProgressPrinter {
 public:
  explicit ProgressPrinter(const CommandEnvironment& environment) : environment_(environment) {}

  void tell(const ImportReport& progress) {
    const auto now = std::chrono::steady_clock::now();
    if (now >= next_) {
      environment_.print_error(importer::progress_line(progress));
      next_ = now + kProgressEvery;
    }
  }

 private:
  const CommandEnvironment& environment_;
  std::chrono::steady_clock::time_point next_ = std::chrono::steady_clock::now() + kProgressEvery;
};

/// Errors: kNotFound + kNone when no server runs.
Result<ImportReport> import_in_server(const Settings& settings, const Command& command,
                                      ProgressPrinter& printer) {
  TRY(ask_server(settings, command.request(), kAnswerTime));
  json::Writer w;
  w.begin_object();
  w.member("command", kStatus);
  w.end_object();
  const std::string ask = w.take();
  const auto deadline = std::chrono::steady_clock::now() + kImportTimeMax;
  while (std::chrono::steady_clock::now() < deadline) {
    const auto status = ask_server(settings, ask, kAnswerTime);
    if (!status) {
      return Error{Code::kUnavailable,
                   Subject::kNone,
                   "the server that was importing: " + status.error().message,
                   {}};
    }
    if (const json::Value report = status->root()["report"]; report.present()) {
      return importer::report_from(report);
    }
    printer.tell(importer::report_from(status->root()["progress"]));
  }
  return Error{Code::kUnavailable, Subject::kNone, "the import takes too long", {}};
}

Result<ImportReport> import_directly(const Settings& settings, const Command& command,
                                     ProgressPrinter& printer) {
  TRY(require_installation(settings));
  const auto stopped = TRY(StoppedInstallation::open(settings));
  const auto store = TRY(open_store(settings));
  const registry::Options options = TRY(registry_options(settings));
  storage::DigestLocks locks;
  importer::Runner runner({stopped->database(), *store, locks, options, stopped->logger()});
  auto source = TRY(open_source(settings, command.root, command.options.copy));
  // Killed while it copies it leaves what the next start has to look for.
  const bool marked = command.options.copy && TRY(stopped->directory().take_stopped_mark());
  TRY(runner.start(std::move(source), command.options));
  auto status = runner.wait(kStatusWait);
  for (; status.running; status = runner.wait(kStatusWait)) {
    printer.tell(status.progress);
  }
  if (marked && status.outcome && *status.outcome) {
    TRY(stopped->directory().mark_stopped());
  }
  return std::move(*status.outcome);
}

Result<ImportReport> import_distribution(const Settings& settings, const Command& command,
                                         const CommandEnvironment& environment) {
  ProgressPrinter printer(environment);
  auto report = import_in_server(settings, command, printer);
  if (!report && report.error().code == Code::kNotFound) {
    return import_directly(settings, command, printer);
  }
  return report;
}

/// The server has a working directory of its own.
void make_absolute(std::string& root) {
  std::error_code failed;
  const fs::path absolute = fs::absolute(root, failed);
  if (!failed && !is_bucket(root)) {
    root = absolute.lexically_normal().string();
  }
}

}  // namespace

struct ImportCommands::Parts {
  CLI::App* import_app = nullptr;
  Command command;
};

ImportCommands::ImportCommands(CLI::App& app, const std::function<void(CLI::App&)>& add_settings)
    : parts_(std::make_unique<Parts>()) {
  parts_->import_app = app.add_subcommand("import", "take over what another registry has");
  parts_->import_app->require_subcommand(1);
  CLI::App* distribution = parts_->import_app->add_subcommand(
      "distribution",
      "register what the storage of CNCF distribution or Harbor holds, running or not; again: only "
      "what is new");
  Command& command = parts_->command;
  ImportOptions& options = command.options;
  distribution
      ->add_option("--root", command.root,
                   "rootdirectory of the other registry: a directory, or s3://… as in storage_url")
      ->required();
  distribution
      ->add_option("--project", options.project,
                   "project for repositories whose name has one component only")
      ->capture_default_str();
  distribution->add_flag("--public", options.public_projects, "make new projects public");
  distribution->add_flag("--verify", options.verify,
                         "read content that is new here and compare it with its digests");
  distribution->add_flag("--copy", options.copy,
                         "copy content into the store instead of using it where it lies");
  distribution->add_flag("--move-tags", options.move_tags,
                         "also move tags that name something else here by now");
  add_settings(*distribution);
}

ImportCommands::~ImportCommands() = default;

bool ImportCommands::named() const {
  return parts_->import_app->parsed();
}

int ImportCommands::run(const std::function<Result<Settings>()>& load,
                        const CommandEnvironment& environment) {
  const auto settings = load();
  if (!settings) {
    environment.print_error(fmt::format("roadstead: {}\n", settings.error().message));
    return kUsage;
  }
  make_absolute(parts_->command.root);
  const auto report = import_distribution(*settings, parts_->command, environment);
  if (!report) {
    environment.print_error(fmt::format("roadstead: {}\n", report.error().message));
    return report.error().subject == Subject::kConfiguration ? kUsage : kNotEnded;
  }
  environment.print(importer::to_text(*report));
  return report->problem_count == 0 ? kImported : kLeftOut;
}

std::optional<std::string> answer_import_request(importer::Runner& runner, const Settings& settings,
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
  json::Writer w;
  w.begin_object();
  if (command == kStatus) {
    write_status(w, runner.wait(kStatusWait));
  } else if (const auto started = start(runner, settings, Command::from(root)); !started) {
    w.member("error", started.error().message);
  }
  w.end_object();
  return w.take();
}

}  // namespace roadstead::app
