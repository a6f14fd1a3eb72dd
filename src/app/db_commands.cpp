#include "app/db_commands.h"

#include <optional>
#include <string>
#include <utility>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "app/data_directory.h"
#include "app/opening.h"
#include "base/clock.h"
#include "base/log.h"
#include "db/copy.h"
#include "db/server.h"
#include "db/status.h"
#include "sys/file.h"

namespace roadstead::app {
namespace {

constexpr int kFailed = 1;
constexpr int kUsage = 2;
constexpr int kPending = 3;
constexpr int kTooNew = 4;

bool is_embedded(const std::string& url) {
  return db::engine_of(url) == db::Engine::kSqlite;
}

/// A database while a command works on it.
class Opened {
 public:
  /// The configured one. The embedded one is ours alone meanwhile.
  static Result<Opened> open(const Settings& settings, Schema schema) {
    Opened opened(settings.database_url);
    if (is_embedded(settings.database_url)) {
      if (!TRY(sys::exists(database_path(settings)))) {
        return Error{Code::kNotFound,
                     Subject::kConfiguration,
                     fmt::format("there is no database: {} does not exist",
                                 database_path(settings).string()),
                     {}};
      }
      opened.directory_.emplace(
          TRY(DataDirectory::open(settings.data_dir, settings.secret_key_file)));
    }
    opened.database_ =
        TRY(open_database(settings, opened.own_->clock, log::Logger(opened.own_->sink), schema));
    return opened;
  }
  /// One to copy into. A file must be new.
  static Result<Opened> open_target(const std::string& url) {
    Settings settings;
    settings.database_url = url;
    if (url.starts_with("sqlite:")) {
      // Ours from the beginning, 0600, and nobody's that exists.
      TRY(sys::File::open(database_path(settings), sys::File::Mode::kCreateNew));
    } else {
      TRY(db::parse_server_url(url));
    }
    Opened opened(url);
    opened.database_ = TRY(open_database(settings, opened.own_->clock,
                                         log::Logger(opened.own_->sink), Schema::kCurrent));
    return opened;
  }
  [[nodiscard]] db::CopyEnd end() const { return {*database_, engine_}; }

 private:
  /// What the database refers to, which stays where it is.
  struct Own {
    SystemClock clock;
    log::Sink sink{2, log::Format::kText, log::Level::kWarning, clock};
  };
  explicit Opened(const std::string& url)
      : engine_(db::engine_of(url)), own_(std::make_unique<Own>()) {}

  db::Engine engine_;
  std::unique_ptr<Own> own_;
  std::optional<DataDirectory> directory_;
  std::unique_ptr<db::Database> database_;
};

std::string describe_status(const Settings& settings, const db::DatabaseStatus& status) {
  std::string text =
      fmt::format("database: {}\nengine: {}\nschema version: {}\n",
                  db::mask_password(settings.database_url), status.engine, status.version);
  if (status.too_new) {
    return text + "this program is older than the schema, or a copy did not finish\n";
  }
  for (const std::string& migration : status.pending) {
    text += fmt::format("pending: {}\n", migration);
  }
  return text + (status.pending.empty() ? "up to date\n" : "");
}

Result<int> show_status(const Settings& settings, const CommandEnvironment& environment) {
  const Opened opened = TRY(Opened::open(settings, Schema::kAsItIs));
  const db::DatabaseStatus status = TRY(db::read_status(opened.end()));
  environment.print(describe_status(settings, status));
  return status.too_new ? kTooNew : status.pending.empty() ? 0 : kPending;
}

Result<int> migrate(const Settings& settings, const CommandEnvironment& environment) {
  const Opened opened = TRY(Opened::open(settings, Schema::kCurrent));
  const db::DatabaseStatus status = TRY(db::read_status(opened.end()));
  environment.print(fmt::format("the schema has version {}\n", status.version));
  return 0;
}

Result<int> copy(const Settings& settings, const std::string& url,
                 const CommandEnvironment& environment) {
  const Opened source = TRY(Opened::open(settings, Schema::kCurrent));
  const Opened target = TRY(Opened::open_target(url));
  const db::CopyReport report = TRY(db::copy_database(source.end(), target.end()));
  environment.print(fmt::format("copied {} rows in {} tables to {}\n", report.rows, report.tables,
                                db::mask_password(url)));
  return 0;
}

}  // namespace

struct DbCommands::Parts {
  CLI::App* db = nullptr;
  CLI::App* status = nullptr;
  CLI::App* migrate = nullptr;
  CLI::App* copy = nullptr;
  std::string to;
};

DbCommands::DbCommands(CLI::App& app, const std::function<void(CLI::App&)>& add_settings)
    : parts_(std::make_unique<Parts>()) {
  Parts& p = *parts_;
  p.db = app.add_subcommand("db", "look after the database's schema, or move to another database");
  p.db->require_subcommand(1);
  p.status = p.db->add_subcommand(
      "status", "engine, version of the schema and pending migrations; changes nothing");
  add_settings(*p.status);
  p.migrate = p.db->add_subcommand("migrate", "bring the schema up to date, as a start does");
  add_settings(*p.migrate);
  p.copy = p.db->add_subcommand(
      "copy", "copy everything into an empty database of any engine; stop all servers before");
  p.copy
      ->add_option("--to", p.to,
                   "sqlite:PATH of a new file, postgresql://… or mysql://… of an empty database")
      ->required();
  add_settings(*p.copy);
}

DbCommands::~DbCommands() = default;

bool DbCommands::named() const {
  return parts_->db->parsed();
}

int DbCommands::run(const std::function<Result<Settings>()>& load,
                    const CommandEnvironment& environment) {
  const auto perform = [&]() -> Result<int> {
    const Settings settings = TRY(load());
    if (parts_->status->parsed()) {
      return show_status(settings, environment);
    }
    return parts_->migrate->parsed() ? migrate(settings, environment)
                                     : copy(settings, parts_->to, environment);
  };
  const auto done = perform();
  if (!done) {
    environment.print_error(fmt::format("roadstead: {}\n", done.error().message));
    return done.error().subject == Subject::kConfiguration ? kUsage : kFailed;
  }
  return *done;
}

}  // namespace roadstead::app
