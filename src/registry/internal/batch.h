#pragma once

#include <algorithm>
#include <cstddef>
#include <initializer_list>
#include <span>
#include <string_view>
#include <vector>

#include "db/database.h"

namespace roadstead::registry::internal {

/// A statement about many rows takes so many at once: on a database server each costs a round trip,
/// and a text for every number of rows would fill the caches of prepared statements.
inline constexpr std::size_t kBatch = 16;
/// Behind IN.
inline constexpr std::string_view kBatchList = "(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";

/// Parameters of such a statement: `first`, then at most kBatch values, the last one again in the
/// places that are left. `values` is not empty.
template <typename Range>
std::vector<db::Param> batch_params(std::initializer_list<db::Param> first, const Range& values) {
  std::vector<db::Param> params(first);
  params.insert(params.end(), std::begin(values), std::end(values));
  params.resize(first.size() + kBatch, params.back());
  return params;
}

/// Calls `use` with stretches of at most kBatch of the items until one fails.
template <typename T, typename F>
Result<void> in_batches(std::span<const T> items, F&& use) {
  while (!items.empty()) {
    const std::size_t count = std::min(items.size(), kBatch);
    TRY(use(items.first(count)));
    items = items.subspan(count);
  }
  return {};
}

}  // namespace roadstead::registry::internal
