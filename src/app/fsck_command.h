#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "app/settings.h"
#include "fsck/runner.h"

namespace roadstead::app {

/// `roadstead fsck`. In the running server when there is one, else with the data directory's lock.
/// Returns the exit code: 0 nothing found, 1 findings remain, 3 all of them were repaired, 4 the
/// check could not be made.
struct FsckCommand {
  bool repair = false;
  bool deep = false;
  bool left_behind = false;
  bool json = false;
};
struct Output {
  std::function<void(std::string_view)> print;        ///< standard output
  std::function<void(std::string_view)> print_error;  ///< standard error
};
int run_fsck(const Settings& settings, const FsckCommand& command, const Output& output);

/// The other end: answers a request of the admin socket if it is about checks.
std::optional<std::string> answer_fsck_request(fsck::Runner& runner, bool sparse_indexes,
                                               std::string_view request);

}  // namespace roadstead::app
