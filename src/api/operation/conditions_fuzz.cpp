#include <cstdint>
#include <string>
#include <string_view>

#include "api/operation/listing.h"
#include "auth/sql_filter.h"
#include "base/check.h"

namespace {

using roadstead::auth::ListColumn;
using Type = ListColumn::Type;

constexpr ListColumn kColumns[] = {{"name", "name"},
                                   {"id", "id", Type::kInteger},
                                   {"public", "public", Type::kBoolean},
                                   {"time", "time", Type::kTime}};

std::size_t placeholders(std::string_view sql) {
  std::size_t found = 0;
  for (const char c : sql) {
    found += c == '?' ? 1 : 0;
  }
  return found;
}

}  // namespace

// Whatever the query says, the statement holds only our own text and one placeholder for each
// value.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto filters = roadstead::api::parse_conditions(text);
  roadstead::auth::ListQuery query;
  query.sort = roadstead::api::parse_sort(text);
  if (filters) {
    query.filters = *filters;
    for (const auto& filter : *filters) {
      CHECK(!filter.key.empty() && !filter.values.empty());
    }
  }
  roadstead::auth::SqlFilter filter(kColumns);
  const bool good = filter.add(query).has_value();
  const std::string order = filter.order_by(query, "name", "id");
  CHECK(!good || placeholders(filter.where()) == filter.params().size());
  CHECK(placeholders(order) == 0 && order.size() < 128);
  return 0;
}
