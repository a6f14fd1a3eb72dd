#include "app/commands.h"

#include <algorithm>
#include <map>
#include <utility>
#include <vector>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "api/v2/describe.h"
#include "app/admin.h"
#include "app/copy_commands.h"
#include "app/db_commands.h"
#include "app/fsck_command.h"
#include "app/gc_command.h"
#include "app/health_command.h"
#include "app/import_command.h"
#include "app/serve.h"
#include "app/settings.h"
#include "app/trash_commands.h"
#include "app/version.h"

namespace roadstead::app {
namespace {

constexpr int kFailed = 1;
constexpr int kUsage = 2;

/// The options that `serve`, `config` and `admin` share: one flag per setting, and the file.
struct SettingFlags {
  std::string file;
  std::map<std::string, std::string, std::less<>> values;

  void add_to(CLI::App& command) {
    command.add_option("-c,--config", file, "configuration file (ROADSTEAD_CONFIG)")
        ->group("Configuration");
    for (const SettingEntry& entry : setting_entries()) {
      const auto store = [this, key = std::string(entry.key)](const std::string& text) {
        values[key] = text;
      };
      command
          .add_option_function<std::string>(flag_of(entry), store,
                                            fmt::format("{} ({})", entry.help, entry.environment))
          ->type_name("VALUE")
          ->group("Settings");
    }
  }

  [[nodiscard]] Result<Settings> load(const CommandEnvironment& environment) const {
    SettingSources sources;
    sources.environment = environment.variable;
    sources.flags = values;
    if (!file.empty()) {
      sources.file = file;
    } else if (const auto named = environment.variable("ROADSTEAD_CONFIG");
               named && !named->empty()) {
      sources.file = *named;
    }
    return load_settings(sources);
  }
};

void add_fsck_flags(CLI::App& command, FsckCommand& options) {
  command.add_flag("--repair", options.repair, "correct what can be corrected without a loss");
  command.add_flag("--deep", options.deep, "read every blob and compare it with its digest");
  command.add_flag("--left-behind", options.left_behind,
                   "also report, and with --repair remove, what another registry left in the store "
                   "and no import took over");
  command.add_flag("--json", options.json, "print the report as JSON");
}

int report(const Error& error, const CommandEnvironment& environment) {
  environment.print_error(fmt::format("roadstead: {}\n", error.message));
  return error.subject == Subject::kConfiguration ? kUsage : kFailed;
}

int check_configuration(const SettingFlags& flags, const CommandEnvironment& environment) {
  const auto settings = flags.load(environment);
  if (!settings) {
    return report(settings.error(), environment);
  }
  environment.print("the configuration is valid\n");
  return 0;
}

int show_configuration(const SettingFlags& flags, const CommandEnvironment& environment) {
  const auto settings = flags.load(environment);
  if (!settings) {
    return report(settings.error(), environment);
  }
  environment.print(show_settings(*settings));
  return 0;
}

int reset_password_command(const SettingFlags& flags, const std::string& user, bool from_input,
                           const CommandEnvironment& environment) {
  const auto settings = flags.load(environment);
  if (!settings) {
    return report(settings.error(), environment);
  }
  std::optional<std::string> chosen;
  if (from_input) {
    chosen = environment.read_line();
  }
  const auto password = reset_password(*settings, user, chosen);
  if (!password) {
    return report(password.error(), environment);
  }
  environment.print(chosen ? fmt::format("the password of {} was changed\n", user)
                           : fmt::format("new password of {}: {}\n", user, *password));
  return 0;
}

int gc_command(const SettingFlags& flags, const gc::Parameters& parameters,
               const CommandEnvironment& environment) {
  const auto settings = flags.load(environment);
  if (!settings) {
    return report(settings.error(), environment);
  }
  const auto done = collect_garbage(*settings, parameters, environment.print);
  return done ? 0 : report(done.error(), environment);
}

int health_command(const SettingFlags& flags, const std::string& url,
                   const CommandEnvironment& environment) {
  const auto settings = flags.load(environment);
  if (!settings) {
    return report(settings.error(), environment);
  }
  const auto healthy = ask_health(*settings, url);
  if (!healthy) {
    return report(healthy.error(), environment);
  }
  environment.print(*healthy + "\n");
  return 0;
}

int check_store(const SettingFlags& flags, const FsckCommand& command,
                const CommandEnvironment& environment) {
  const auto settings = flags.load(environment);
  if (!settings) {
    // Its exit code 1 means something else.
    report(settings.error(), environment);
    return kUsage;
  }
  return run_fsck(*settings, command, {environment.print, environment.print_error});
}

int serve_command(const SettingFlags& flags, const CommandEnvironment& environment) {
  const auto settings = flags.load(environment);
  if (!settings) {
    return report(settings.error(), environment);
  }
  const auto done = serve(*settings, [&] { return flags.load(environment); }, environment.print);
  return done ? 0 : report(done.error(), environment);
}

/// Nothing when a command is to be run; else the exit code, help or complaint being printed.
std::optional<int> parse(CLI::App& app, int argc, const char* const* argv,
                         const CommandEnvironment& environment) {
  try {
    app.parse(argc, argv);
  } catch (const CLI::CallForHelp&) {
    // The deepest command that was named is the one help is wanted for.
    const CLI::App* named = &app;
    while (!named->get_subcommands().empty()) {
      named = named->get_subcommands().front();
    }
    environment.print(named->help());
    return 0;
  } catch (const CLI::ParseError& error) {
    environment.print_error(fmt::format("roadstead: {}\nTry: roadstead --help\n", error.what()));
    return kUsage;
  }
  return std::nullopt;
}

/// The commands with their options, and what each of them does.
class Commands {
 public:
  Commands(CLI::App& app, const CommandEnvironment& environment)
      : environment_(environment),
        copies_(app, [this](CLI::App& command) { flags_.add_to(command); }),
        databases_(app, [this](CLI::App& command) { flags_.add_to(command); }),
        imports_(app, [this](CLI::App& command) { flags_.add_to(command); }),
        trash_(app, [this](CLI::App& command) { flags_.add_to(command); }) {
    add_server(app);
    add_store(app);
    add_admin(app);
    add_texts(app);
  }

  /// The one that was named.
  int run() {
    const auto load = [this] { return flags_.load(environment_); };
    if (copies_.named()) {
      return copies_.run(load, environment_);
    }
    if (databases_.named()) {
      return databases_.run(load, environment_);
    }
    if (imports_.named()) {
      return imports_.run(load, environment_);
    }
    if (trash_.named()) {
      return trash_.run(load, environment_);
    }
    const auto named = std::find_if(actions_.begin(), actions_.end(),
                                    [](const auto& action) { return action.first->parsed(); });
    return named == actions_.end() ? kUsage : named->second();
  }

 private:
  CLI::App& add(CLI::App& parent, const std::string& name, const std::string& help,
                std::function<int()> action) {
    CLI::App* command = parent.add_subcommand(name, help);
    actions_.emplace_back(command, std::move(action));
    return *command;
  }

  void add_server(CLI::App& app) {
    flags_.add_to(add(app, "serve", "run the registry",
                      [this] { return serve_command(flags_, environment_); }));
    CLI::App& health =
        add(app, "health", "ask the running server whether it can serve; exit code 0 if so, else 1",
            [this] { return health_command(flags_, url_, environment_); });
    health.add_option("--url", url_, "where it listens (default: what <data_dir>/run/urls says)");
    flags_.add_to(health);
    CLI::App* config = app.add_subcommand("config", "look at the configuration");
    config->require_subcommand(1);
    flags_.add_to(add(*config, "check", "tell whether the configuration is valid",
                      [this] { return check_configuration(flags_, environment_); }));
    flags_.add_to(add(*config, "show", "print the effective configuration, secrets masked",
                      [this] { return show_configuration(flags_, environment_); }));
  }

  void add_store(CLI::App& app) {
    CLI::App& fsck =
        add(app, "fsck", "check the database and the stored content against each other",
            [this] { return check_store(flags_, fsck_, environment_); });
    add_fsck_flags(fsck, fsck_);
    flags_.add_to(fsck);
    CLI::App& gc = add(
        app, "gc", "collect garbage now, in the running server or without one, and follow its log",
        [this] { return gc_command(flags_, gc_, environment_); });
    gc.add_flag("--dry-run", gc_.dry_run, "only list what would be removed");
    gc.add_flag("--delete-untagged", gc_.delete_untagged, "remove untagged artifacts as well");
    gc.add_option("--workers", gc_.workers, "threads that remove content, 1 to 10")
        ->capture_default_str();
    flags_.add_to(gc);
  }

  void add_admin(CLI::App& app) {
    CLI::App* admin =
        app.add_subcommand("admin", "administer an installation, whether its server runs or not");
    admin->require_subcommand(1);
    CLI::App& reset =
        add(*admin, "reset-password", "give a user a new password and print it",
            [this] { return reset_password_command(flags_, user_, from_input_, environment_); });
    reset.add_option("--user", user_, "user name")->capture_default_str();
    reset.add_flag("--stdin", from_input_,
                   "read the new password from standard input instead of making one");
    flags_.add_to(reset);
  }

  void add_texts(CLI::App& app) {
    add(app, "version", "print the version", [this] {
      environment_.print(fmt::format("roadstead {}\n", kVersion));
      return 0;
    });
    add(app, "openapi", "print the OpenAPI description of the REST API", [this] {
      environment_.print(api::v2_openapi_document(kVersion) + "\n");
      return 0;
    });
  }

  const CommandEnvironment& environment_;
  SettingFlags flags_;
  CopyCommands copies_;
  DbCommands databases_;
  ImportCommands imports_;
  TrashCommands trash_;
  FsckCommand fsck_;
  gc::Parameters gc_;
  std::string url_;
  std::string user_ = "admin";
  bool from_input_ = false;
  std::vector<std::pair<CLI::App*, std::function<int()>>> actions_;
};

}  // namespace

int run_command(int argc, const char* const* argv, const CommandEnvironment& environment) {
  CLI::App app{"Roadstead: a private container registry in one program", "roadstead"};
  app.require_subcommand(1);
  app.footer(
      "Every setting can come from a flag, an environment variable or the configuration file, in "
      "this order.");
  Commands commands(app, environment);
  if (const auto code = parse(app, argc, argv, environment)) {
    return *code;
  }
  return commands.run();
}

}  // namespace roadstead::app
