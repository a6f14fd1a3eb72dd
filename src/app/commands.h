#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace roadstead::app {

/// What a command touches outside itself, so that tests can run commands without a process.
struct CommandEnvironment {
  std::function<std::optional<std::string>(std::string_view)> variable;
  std::function<void(std::string_view)> print;        ///< standard output
  std::function<void(std::string_view)> print_error;  ///< standard error
  std::function<std::string()> read_line;  ///< one line of standard input, without its newline
};

/// The program: parses the command line and runs the command. Exit code: 0 done, 1 failed, 2 wrong
/// usage or configuration; those of fsck are in docs/fsck.md.
int run_command(int argc, const char* const* argv, const CommandEnvironment& environment);

}  // namespace roadstead::app
