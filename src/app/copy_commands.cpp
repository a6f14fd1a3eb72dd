#include "app/copy_commands.h"

#include <string>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "app/copy_source.h"
#include "app/data_directory.h"
#include "app/opening.h"
#include "app/version.h"
#include "backup/backup.h"
#include "backup/export.h"
#include "backup/restore.h"
#include "base/log.h"

namespace roadstead::app {
namespace {

/// What a command has to say: lines for people, and whether all is well.
struct Outcome {
  std::string text;
  bool good = true;
};

template <typename Report>
Outcome outcome(std::string text, const Report& report, std::string_view where) {
  for (const std::string& problem : report.problems) {
    text += fmt::format("PROBLEM: {}\n", problem);
  }
  if (report.problem_count > 0) {
    text += fmt::format("{} problems {}\n", report.problem_count, where);
  }
  return {std::move(text), report.problem_count == 0};
}

}  // namespace

struct CopyCommands::Parts {
  CLI::App* backup_app = nullptr;
  CLI::App* restore_app = nullptr;
  CLI::App* export_app = nullptr;
  std::string to;
  std::string verify;
  std::string from;
  std::string export_to;
  std::string layout = "distribution";
  bool no_content = false;
  bool link = false;
  bool export_link = false;
  std::size_t keep = 3;
  SystemClock clock;

  Result<Outcome> back_up(const Settings& settings);
  Result<Outcome> check() const;
  Result<Outcome> restore(const Settings& settings);
  Result<Outcome> export_all(const Settings& settings);
  Result<Outcome> run(const std::function<Result<Settings>()>& load);
};

Result<Outcome> CopyCommands::Parts::back_up(const Settings& settings) {
  const auto source = TRY(open_copy_source(settings));
  const auto store = TRY(open_store(settings));
  backup::BackupOptions options;
  options.directory = to;
  options.content = !no_content;
  options.link = link;
  options.keep = keep;
  options.secret_key = DataDirectory::secret_file(settings.data_dir);
  options.token_signing_key = settings.token_signing_key;
  options.version = kVersion;
  const auto report = TRY(backup::make_backup(*source, *store, options, clock));
  return outcome(
      fmt::format("backup {}: {} blobs of {} bytes, {} copied ({} bytes), {} linked, {} removed\n",
                  report.database, report.blobs, report.bytes, report.copied, report.copied_bytes,
                  report.linked, report.removed),
      report, "in the store: run roadstead fsck");
}

Result<Outcome> CopyCommands::Parts::check() const {
  const auto report = TRY(backup::verify_backup(verify, clock));
  return outcome(
      fmt::format("backup {}: {} blobs of {} bytes{}\n", report.database, report.blobs,
                  report.bytes, report.content ? "" : "; it holds no content, so none was read"),
      report, "in the backup");
}

Result<Outcome> CopyCommands::Parts::restore(const Settings& settings) {
  backup::RestoreOptions options;
  options.directory = from;
  options.data_directory = settings.data_dir;
  options.database = std::filesystem::absolute(database_path(settings));
  options.open_store = [&] { return open_store(settings); };
  log::Sink sink(2, log::Format::kText, log::Level::kWarning, clock);
  const auto report = TRY(backup::restore_backup(options, clock, log::Logger(sink)));
  std::string text =
      fmt::format("restored {} into {}: {} blobs of {} bytes, all as their digests say\n",
                  report.database, settings.data_dir, report.blobs, report.bytes);
  if (report.token_signing_key) {
    text += fmt::format("name {}/token-signing-key.pem in token.signing_key\n", settings.data_dir);
  }
  return Outcome{std::move(text)};
}

Result<Outcome> CopyCommands::Parts::export_all(const Settings& settings) {
  if (layout != "distribution") {
    return Error{Code::kInvalid,
                 Subject::kConfiguration,
                 fmt::format("--layout {}: the only layout is distribution", layout),
                 {}};
  }
  const auto source = TRY(open_copy_source(settings));
  const auto store = TRY(open_store(settings));
  const auto report = TRY(backup::export_distribution(
      *source, *store, {.directory = export_to, .link = export_link}, clock));
  return outcome(fmt::format("exported {} repositories, {} manifests, {} tags, {} blobs of {} "
                             "bytes; {} were copied now, {} linked\n",
                             report.repositories, report.manifests, report.tags, report.blobs,
                             report.bytes, report.copied, report.linked),
                 report, "in the store: run roadstead fsck");
}

Result<Outcome> CopyCommands::Parts::run(const std::function<Result<Settings>()>& load) {
  if (backup_app->parsed() && !verify.empty()) {
    return check();
  }
  const Settings settings = TRY(load());
  if (backup_app->parsed()) {
    return back_up(settings);
  }
  return restore_app->parsed() ? restore(settings) : export_all(settings);
}

CopyCommands::CopyCommands(CLI::App& app, const std::function<void(CLI::App&)>& add_settings)
    : parts_(std::make_unique<Parts>()) {
  Parts& p = *parts_;
  p.backup_app = app.add_subcommand(
      "backup", "copy an installation, running or not, into a directory; again: only what is new");
  auto* to = p.backup_app->add_option("--to", p.to, "directory of the backup");
  auto* verify = p.backup_app->add_option("--verify", p.verify,
                                          "read a backup and compare it with its digests");
  to->excludes(verify);
  p.backup_app->add_flag(
      "--no-content", p.no_content,
      "copy the database and list the content it needs, which stays where it is");
  p.backup_app->add_flag("--link", p.link,
                         "link files of content instead of copying them, where that is possible");
  p.backup_app->add_option("--keep", p.keep, "copies of the database to keep")
      ->capture_default_str()
      ->check(CLI::Range(std::size_t{1}, backup::kKeepMax));
  p.backup_app->callback([&p] {
    if (p.to.empty() && p.verify.empty()) {
      throw CLI::RequiredError("--to or --verify");
    }
  });
  add_settings(*p.backup_app);
  p.restore_app = app.add_subcommand("restore", "make an installation of a backup");
  p.restore_app->add_option("--from", p.from, "directory of the backup")->required();
  add_settings(*p.restore_app);
  p.export_app = app.add_subcommand(
      "export", "write everything in the storage layout of another registry, running or not");
  p.export_app->add_option("--to", p.export_to, "directory to write to")->required();
  p.export_app->add_option("--layout", p.layout, "distribution")->capture_default_str();
  p.export_app->add_flag("--link", p.export_link,
                         "link files of content instead of copying them, where that is possible");
  add_settings(*p.export_app);
}

CopyCommands::~CopyCommands() = default;

bool CopyCommands::named() const {
  return parts_->backup_app->parsed() || parts_->restore_app->parsed() ||
         parts_->export_app->parsed();
}

int CopyCommands::run(const std::function<Result<Settings>()>& load,
                      const CommandEnvironment& environment) {
  const auto done = parts_->run(load);
  if (!done) {
    environment.print_error(fmt::format("roadstead: {}\n", done.error().message));
    return done.error().subject == Subject::kConfiguration ? 2 : 1;
  }
  environment.print(done->text);
  return done->good ? 0 : 1;
}

}  // namespace roadstead::app
