#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "app/commands.h"
#include "app/settings.h"
#include "base/result.h"
#include "importer/runner.h"

namespace CLI {  // NOLINT(readability-identifier-naming): theirs
class App;
}

namespace roadstead::app {

/// `roadstead import`: takes over what another registry has. In the running server when there is
/// one, else with the data directory's lock.
class ImportCommands {
 public:
  /// Adds them; `add_settings` gives a command the flags of all settings.
  ImportCommands(CLI::App& app, const std::function<void(CLI::App&)>& add_settings);
  ~ImportCommands();
  ImportCommands(const ImportCommands&) = delete;
  ImportCommands& operator=(const ImportCommands&) = delete;

  /// Whether one of them was named on the command line.
  [[nodiscard]] bool named() const;
  /// Runs it. Exit code: 0 all is imported, 1 something was left out, 2 wrong usage or
  /// configuration, 4 the import did not come to its end.
  int run(const std::function<Result<Settings>()>& load, const CommandEnvironment& environment);

 private:
  struct Parts;
  std::unique_ptr<Parts> parts_;
};

/// The other end: answers a request of the admin socket if it is about imports.
std::optional<std::string> answer_import_request(importer::Runner& runner, const Settings& settings,
                                                 std::string_view request);

}  // namespace roadstead::app
