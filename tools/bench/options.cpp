#include "options.h"

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <cstdlib>

#include <fmt/format.h>

namespace roadstead::bench {

void usage_error(const std::string& why) {
  fmt::print(stderr, "bench_load: {}\n", why);
  std::exit(2);
}

Options::Options(int argc, char** argv, const std::vector<std::string>& known) {
  const std::vector<std::string> words(argv + 1, argv + argc);
  if (words.empty()) {
    usage_error("the first argument must be a verb");
  }
  verb_ = words.front();
  for (size_t i = 1; i < words.size(); i += 2) {
    const auto& word = words[i];
    const std::string name = word.starts_with("--") ? word.substr(2) : "";
    if (std::find(known.begin(), known.end(), name) == known.end()) {
      usage_error("unknown option " + word);
    }
    if (i + 1 == words.size()) {
      usage_error(word + " needs a value");
    }
    values_[name] = words[i + 1];
  }
}

std::string Options::text(const std::string& name, const std::string& fallback) const {
  const auto found = values_.find(name);
  return found == values_.end() ? fallback : found->second;
}

uint64_t Options::number(const std::string& name, uint64_t fallback, uint64_t most) const {
  const std::string value = text(name);
  if (value.empty()) {
    return fallback;
  }
  uint64_t number = 0;
  const char* end = value.data() + value.size();
  const auto [rest, error] = std::from_chars(value.data(), end, number);
  const std::string suffix(rest, end);
  const std::map<std::string, unsigned> shifts{{"", 0}, {"K", 10}, {"M", 20}, {"G", 30}};
  const auto shift = shifts.find(suffix);
  if (error != std::errc{} || shift == shifts.end() || number > (most >> shift->second)) {
    usage_error("--" + name + " must be a number up to " + std::to_string(most));
  }
  return number << shift->second;
}

double Options::seconds(const std::string& name, double fallback) const {
  const std::string value = text(name);
  if (value.empty()) {
    return fallback;
  }
  double seconds = 0;
  const char* end = value.data() + value.size();
  const auto [rest, error] = std::from_chars(value.data(), end, seconds);
  if (error != std::errc{} || rest != end || !(seconds > 0 && seconds <= 3600)) {
    usage_error("--" + name + " must be seconds, at most 3600");
  }
  return seconds;
}

std::vector<std::string> Options::list(const std::string& name) const {
  std::vector<std::string> parts;
  std::string rest = text(name);
  while (!rest.empty()) {
    const auto comma = rest.find(',');
    parts.push_back(rest.substr(0, comma));
    rest = comma == std::string::npos ? "" : rest.substr(comma + 1);
  }
  return parts;
}

}  // namespace roadstead::bench
