#pragma once

#include <vector>

#include "auth/counted_list.h"

namespace roadstead::project {

/// The counted lists of projects, for the checker.
std::vector<auth::CountedList> counted_lists();

}  // namespace roadstead::project
