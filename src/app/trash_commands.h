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

/// `roadstead trash`: what was deleted, and undoing it, whether a server runs or not.
class TrashCommands {
 public:
  /// Adds them; `add_settings` gives a command the flags of all settings.
  TrashCommands(CLI::App& app, const std::function<void(CLI::App&)>& add_settings);
  ~TrashCommands();
  TrashCommands(const TrashCommands&) = delete;
  TrashCommands& operator=(const TrashCommands&) = delete;

  /// Whether one of them was named on the command line.
  [[nodiscard]] bool named() const;
  /// Runs it. Exit code: as run_command().
  int run(const std::function<Result<Settings>()>& load, const CommandEnvironment& environment);

 private:
  struct Parts;
  std::unique_ptr<Parts> parts_;
};

}  // namespace roadstead::app
