#include <algorithm>

#include "project/internal/lists.h"

namespace roadstead::project::internal {
namespace {

/// Private projects of one account that a page looks through; with more, the list is filtered.
constexpr std::int64_t kOwnMax = 10'000;

using Names = std::vector<std::string>;

std::string name_from(const db::Row& row) {
  return std::string(row.text(0));
}

/// A stretch of a list, upwards.
struct Window {
  std::int64_t begin = 0;
  std::int64_t size = 0;
};
Window window_of(const auth::ListQuery& query, auth::Direction direction, std::int64_t total) {
  const std::int64_t before = std::min(query.offset(), total);
  const std::int64_t size = std::min(query.limit(), total - before);
  return {direction == auth::Direction::kUp ? before : total - before - size, size};
}

/// Two ordered lists as one: how many of the first `count` names are the caller's own. Halves the
/// range in question each time.
Result<std::int64_t> count_own(db::ReadSession& session, const Names& own,
                               std::int64_t public_total, std::int64_t count) {
  std::int64_t least = std::max<std::int64_t>(0, count - public_total);
  std::int64_t most = std::min<std::int64_t>(static_cast<std::int64_t>(own.size()), count);
  while (least < most) {
    const std::int64_t middle = (least + most) / 2;
    const auto other =
        TRY(auth::entry_at(session, public_projects(), count - middle - 1, public_total));
    if (other && other->name < own[static_cast<std::size_t>(middle)]) {
      most = middle;
    } else {
      least = middle + 1;
    }
  }
  return least;
}

Result<Names> public_names(db::ReadSession& session, std::int64_t begin, std::int64_t size,
                           std::int64_t total) {
  const auto first = TRY(auth::entry_at(session, public_projects(), begin, total));
  if (!first) {
    return Names{};
  }
  return session.all(
      "SELECT name FROM project WHERE public = 1 AND name >= ? ORDER BY name LIMIT ?",
      {first->name, size}, name_from);
}

}  // namespace

Result<std::optional<NamesPage>> visible_names(db::ReadSession& session, UserId user,
                                               const auth::ListQuery& query,
                                               auth::Direction direction) {
  Names own = TRY(
      session.all("SELECT p.name FROM project_member m JOIN project p ON p.id = m.project_id WHERE "
                  "m.entity_type = 'u' AND m.entity_id = ? AND p.public = 0 LIMIT ?",
                  {user, kOwnMax + 1}, name_from));
  if (static_cast<std::int64_t>(own.size()) > kOwnMax) {
    return std::optional<NamesPage>();
  }
  std::sort(own.begin(), own.end());
  const std::int64_t public_total = TRY(auth::count_entries(session, public_projects()));
  NamesPage page;
  page.total = public_total + static_cast<std::int64_t>(own.size());
  const Window window = window_of(query, direction, page.total);
  const std::int64_t own_before = TRY(count_own(session, own, public_total, window.begin));
  const Names others =
      TRY(public_names(session, window.begin - own_before, window.size, public_total));
  own.erase(own.begin(), own.begin() + own_before);
  std::merge(own.begin(), own.end(), others.begin(), others.end(), std::back_inserter(page.names));
  page.names.resize(std::min(page.names.size(), static_cast<std::size_t>(window.size)));
  if (direction == auth::Direction::kDown) {
    std::reverse(page.names.begin(), page.names.end());
  }
  return std::optional(std::move(page));
}

}  // namespace roadstead::project::internal
