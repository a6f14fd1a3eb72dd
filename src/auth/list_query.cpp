#include "auth/list_query.h"

#include <algorithm>
#include <limits>

namespace roadstead::auth {

std::int64_t ListQuery::limit() const {
  return page_size <= 0 ? kPageSizeMax : std::min(page_size, kPageSizeMax);
}

std::int64_t ListQuery::offset() const {
  const std::int64_t before = std::max<std::int64_t>(page, 1) - 1;
  constexpr std::int64_t kFarthest = std::numeric_limits<std::int64_t>::max() / kPageSizeMax;
  return std::min(before, kFarthest) * limit();
}

const Filter* ListQuery::find(std::string_view key) const {
  const auto found = std::find_if(filters.rbegin(), filters.rend(),
                                  [&](const Filter& filter) { return filter.key == key; });
  return found == filters.rend() ? nullptr : &*found;
}

}  // namespace roadstead::auth
