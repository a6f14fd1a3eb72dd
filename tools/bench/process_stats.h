#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <vector>

namespace roadstead::bench {

/// CPU and memory of some processes and all their descendants, read from /proc.
struct ProcessStats {
  double user_seconds = 0;
  double system_seconds = 0;
  /// User + system to the nanosecond where the kernel has a per-process clock, else the sum above.
  double cpu_seconds = 0;
  uint64_t rss_kib = 0;
  uint64_t peak_kib = 0;
  int threads = 0;
};

/// The processes `roots` and whatever they started.
[[nodiscard]] std::vector<pid_t> process_tree(const std::vector<pid_t>& roots);
[[nodiscard]] ProcessStats read_stats(const std::vector<pid_t>& tree);
/// Makes peak_kib count from now on (VmHWM); needs the same user, silently does nothing otherwise.
void reset_peaks(const std::vector<pid_t>& tree);
/// User + system of this process.
[[nodiscard]] double own_cpu_seconds();

}  // namespace roadstead::bench
