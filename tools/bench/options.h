#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace roadstead::bench {

/// Command line of the form `verb --name value …`. Unknown names and bad numbers are errors.
class Options {
 public:
  /// Ends the process with a message (exit code 2) when the line cannot be understood.
  Options(int argc, char** argv, const std::vector<std::string>& known);

  [[nodiscard]] const std::string& verb() const { return verb_; }
  [[nodiscard]] std::string text(const std::string& name, const std::string& fallback = "") const;
  [[nodiscard]] bool has(const std::string& name) const { return values_.contains(name); }
  /// A number in [0, most]; suffixes K, M and G mean 2^10, 2^20, 2^30.
  [[nodiscard]] uint64_t number(const std::string& name, uint64_t fallback, uint64_t most) const;
  [[nodiscard]] double seconds(const std::string& name, double fallback) const;
  /// Comma-separated.
  [[nodiscard]] std::vector<std::string> list(const std::string& name) const;

 private:
  std::string verb_;
  std::map<std::string, std::string> values_;
};

/// Prints `why` and ends the process with exit code 2.
[[noreturn]] void usage_error(const std::string& why);

}  // namespace roadstead::bench
