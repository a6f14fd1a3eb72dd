#include "process_stats.h"

#include <dirent.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <map>
#include <sstream>

#include <time.h>

#include "base/text.h"

namespace roadstead::bench {
namespace {

struct StatLine {
  pid_t parent = 0;
  double user_seconds = 0;
  double system_seconds = 0;
};

std::string proc_file(pid_t pid, const char* name) {
  return "/proc/" + std::to_string(pid) + "/" + name;
}

bool read_stat(pid_t pid, StatLine& into) {
  std::ifstream file(proc_file(pid, "stat"));
  std::string text((std::istreambuf_iterator<char>(file)), {});
  const auto name_end = text.rfind(')');
  if (name_end == std::string::npos) {
    return false;
  }
  std::istringstream fields(text.substr(name_end + 1));
  std::vector<std::string> field{std::istream_iterator<std::string>(fields), {}};
  if (field.size() < 13) {
    return false;
  }
  const auto ticks = static_cast<double>(sysconf(_SC_CLK_TCK));
  into.parent = static_cast<pid_t>(parse_uint64(field[1]).value_or(0));
  into.user_seconds = static_cast<double>(parse_uint64(field[11]).value_or(0)) / ticks;
  into.system_seconds = static_cast<double>(parse_uint64(field[12]).value_or(0)) / ticks;
  return true;
}

double cpu_clock(pid_t pid, const StatLine& fallback) {
  clockid_t clock{};
  timespec value{};
  if (clock_getcpuclockid(pid, &clock) != 0 || clock_gettime(clock, &value) != 0) {
    return fallback.user_seconds + fallback.system_seconds;
  }
  return static_cast<double>(value.tv_sec) + static_cast<double>(value.tv_nsec) / 1e9;
}

void add_status(pid_t pid, ProcessStats& into) {
  std::ifstream file(proc_file(pid, "status"));
  for (std::string line; std::getline(file, line);) {
    std::istringstream words(line);
    std::string name;
    uint64_t value = 0;
    words >> name >> value;
    if (name == "VmRSS:") {
      into.rss_kib += value;
    } else if (name == "VmHWM:") {
      into.peak_kib += value;
    } else if (name == "Threads:") {
      into.threads += static_cast<int>(value);
    }
  }
}

}  // namespace

std::vector<pid_t> process_tree(const std::vector<pid_t>& roots) {
  std::multimap<pid_t, pid_t> children;
  DIR* proc = opendir("/proc");
  while (const dirent* entry = proc == nullptr ? nullptr : readdir(proc)) {
    const auto pid = static_cast<pid_t>(parse_uint64(entry->d_name).value_or(0));
    StatLine line;
    if (pid > 0 && read_stat(pid, line)) {
      children.emplace(line.parent, pid);
    }
  }
  if (proc != nullptr) {
    closedir(proc);
  }
  std::vector<pid_t> tree = roots;
  for (size_t i = 0; i < tree.size(); ++i) {
    const auto [begin, end] = children.equal_range(tree[i]);
    for (auto child = begin; child != end; ++child) {
      if (std::find(tree.begin(), tree.end(), child->second) == tree.end()) {
        tree.push_back(child->second);
      }
    }
  }
  return tree;
}

ProcessStats read_stats(const std::vector<pid_t>& tree) {
  ProcessStats stats;
  for (const pid_t pid : tree) {
    StatLine line;
    if (read_stat(pid, line)) {
      stats.user_seconds += line.user_seconds;
      stats.system_seconds += line.system_seconds;
      stats.cpu_seconds += cpu_clock(pid, line);
      add_status(pid, stats);
    }
  }
  return stats;
}

void reset_peaks(const std::vector<pid_t>& tree) {
  for (const pid_t pid : tree) {
    std::ofstream(proc_file(pid, "clear_refs")) << "5";
  }
}

double own_cpu_seconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) / 1e6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

}  // namespace roadstead::bench
