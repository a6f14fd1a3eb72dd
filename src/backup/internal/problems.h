#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "backup/backup.h"

namespace roadstead::backup::internal {

/// Adds a line to a report, as long as there is room.
template <typename Report>
void add_problem(Report& report, std::string line) {
  ++report.problem_count;
  if (report.problems.size() < kProblemsMax) {
    report.problems.push_back(std::move(line));
  }
}

}  // namespace roadstead::backup::internal
