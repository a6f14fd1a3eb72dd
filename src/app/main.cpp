#include <cstdio>
#include <cstdlib>

#include "app/commands.h"

int main(int argc, char** argv) {
  roadstead::app::CommandEnvironment environment;
  environment.variable = [](std::string_view name) -> std::optional<std::string> {
    const char* value = std::getenv(std::string(name).c_str());
    return value == nullptr ? std::nullopt : std::optional<std::string>(value);
  };
  environment.print = [](std::string_view text) {
    std::fwrite(text.data(), 1, text.size(), stdout);
    std::fflush(stdout);
  };
  environment.print_error = [](std::string_view text) {
    std::fwrite(text.data(), 1, text.size(), stderr);
  };
  environment.read_line = [] {
    std::string line;
    for (int c = std::getchar(); c != EOF && c != '\n'; c = std::getchar()) {
      line += static_cast<char>(c);
    }
    return line;
  };
  return roadstead::app::run_command(argc, argv, environment);
}
