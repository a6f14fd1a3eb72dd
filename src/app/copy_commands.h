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

/// The commands that copy an installation: backup, restore, export.
class CopyCommands {
 public:
  /// Adds them; `add_settings` gives a command the flags of all settings.
  CopyCommands(CLI::App& app, const std::function<void(CLI::App&)>& add_settings);
  ~CopyCommands();
  CopyCommands(const CopyCommands&) = delete;
  CopyCommands& operator=(const CopyCommands&) = delete;

  /// Whether one of them was named on the command line.
  [[nodiscard]] bool named() const;
  /// Runs it. Exit code: as run_command(); 1 also when content is lost or damaged.
  int run(const std::function<Result<Settings>()>& load, const CommandEnvironment& environment);

 private:
  struct Parts;
  std::unique_ptr<Parts> parts_;
};

}  // namespace roadstead::app
