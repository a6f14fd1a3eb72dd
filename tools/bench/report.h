#pragma once

#include <cstdint>
#include <string>

#include "engine.h"
#include "process_stats.h"

namespace roadstead::bench {

struct Measured {
  RunStats run;
  ProcessStats before;
  ProcessStats after;
  double client_cpu = 0;
  int closed_while_held = 0;
  int open_connections = 0;
  bool with_slices = false;  // Whether to tell what happened in each tenth of a second.
};

/// Prints one line of JSON: operations, errors, throughput of `bytes`, latency, server CPU, memory.
void print_report(const std::string& verb, const Measured& measured, uint64_t bytes);

}  // namespace roadstead::bench
