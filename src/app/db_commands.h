#pragma once

#include <functional>
#include <memory>

#include "app/commands.h"
#include "app/settings.h"
#include "base/result.h"

namespace CLI {  // NOLINT(readability-identifier-naming): theirs
class App;
}

namespace roadstead::app {

/// `roadstead db`: the schema of the database, and moving everything into another one. Works on a
/// database server whether replicas run or not; on the embedded database only without a server.
class DbCommands {
 public:
  /// Adds them; `add_settings` gives a command the flags of all settings.
  DbCommands(CLI::App& app, const std::function<void(CLI::App&)>& add_settings);
  ~DbCommands();
  DbCommands(const DbCommands&) = delete;
  DbCommands& operator=(const DbCommands&) = delete;

  /// Whether one of them was named on the command line.
  [[nodiscard]] bool named() const;
  /// Runs it. Exit code: 0 done, or the schema is as this program wants it; 1 failed; 2 wrong usage
  /// or configuration; of `status` also 3, migrations are pending, and 4, the schema is newer than
  /// this program.
  int run(const std::function<Result<Settings>()>& load, const CommandEnvironment& environment);

 private:
  struct Parts;
  std::unique_ptr<Parts> parts_;
};

}  // namespace roadstead::app
