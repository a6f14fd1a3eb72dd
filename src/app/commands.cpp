#include "app/commands.h"

#include <map>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "api/v2/describe.h"
#include "app/admin.h"
#include "app/copy_commands.h"
#include "app/fsck_command.h"
#include "app/gc_command.h"
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

CLI::App* add_gc(CLI::App& app, gc::Parameters& collection) {
  CLI::App* collect = app.add_subcommand(
      "gc", "collect garbage now, in the running server or without one, and follow its log");
  collect->add_flag("--dry-run", collection.dry_run, "only list what would be removed");
  collect->add_flag("--delete-untagged", collection.delete_untagged,
                    "remove untagged artifacts as well");
  collect->add_option("--workers", collection.workers, "threads that remove content, 1 to 10")
      ->capture_default_str();
  return collect;
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

}  // namespace

int run_command(int argc, const char* const* argv, const CommandEnvironment& environment) {
  CLI::App app{"Roadstead: a private container registry in one program", "roadstead"};
  app.require_subcommand(1);
  app.footer(
      "Every setting can come from a flag, an environment variable or the configuration file, in "
      "this order.");
  SettingFlags flags;

  CLI::App* serve_app = app.add_subcommand("serve", "run the registry");
  flags.add_to(*serve_app);
  CLI::App* config = app.add_subcommand("config", "look at the configuration");
  config->require_subcommand(1);
  CLI::App* check = config->add_subcommand("check", "tell whether the configuration is valid");
  flags.add_to(*check);
  CLI::App* show =
      config->add_subcommand("show", "print the effective configuration, secrets masked");
  flags.add_to(*show);
  CLI::App* fsck =
      app.add_subcommand("fsck", "check the database and the stored content against each other");
  FsckCommand fsck_options;
  add_fsck_flags(*fsck, fsck_options);
  flags.add_to(*fsck);
  CLI::App* version = app.add_subcommand("version", "print the version");
  CLI::App* openapi =
      app.add_subcommand("openapi", "print the OpenAPI description of the REST API");
  CLI::App* admin =
      app.add_subcommand("admin", "administer an installation, whether its server runs or not");
  admin->require_subcommand(1);
  CLI::App* reset =
      admin->add_subcommand("reset-password", "give a user a new password and print it");
  std::string user = "admin";
  bool from_input = false;
  reset->add_option("--user", user, "user name")->capture_default_str();
  reset->add_flag("--stdin", from_input,
                  "read the new password from standard input instead of making one");
  flags.add_to(*reset);
  gc::Parameters collection;
  CLI::App* collect = add_gc(app, collection);
  flags.add_to(*collect);
  const auto add_settings = [&](CLI::App& command) { flags.add_to(command); };
  CopyCommands copies(app, add_settings);
  TrashCommands trash(app, add_settings);

  if (const auto code = parse(app, argc, argv, environment)) {
    return *code;
  }
  const auto load = [&] { return flags.load(environment); };
  if (copies.named()) {
    return copies.run(load, environment);
  }
  if (trash.named()) {
    return trash.run(load, environment);
  }
  if (serve_app->parsed()) {
    return serve_command(flags, environment);
  }
  if (check->parsed()) {
    return check_configuration(flags, environment);
  }
  if (show->parsed()) {
    return show_configuration(flags, environment);
  }
  if (fsck->parsed()) {
    return check_store(flags, fsck_options, environment);
  }
  if (version->parsed()) {
    environment.print(fmt::format("roadstead {}\n", kVersion));
    return 0;
  }
  if (openapi->parsed()) {
    environment.print(api::v2_openapi_document(kVersion) + "\n");
    return 0;
  }
  if (collect->parsed()) {
    return gc_command(flags, collection, environment);
  }
  return reset_password_command(flags, user, from_input, environment);
}

}  // namespace roadstead::app
