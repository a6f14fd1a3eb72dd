#pragma once

#include <cstdint>
#include <deque>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "auth/list_query.h"
#include "base/result.h"
#include "db/database.h"

namespace roadstead::auth {

/// A column that a list can be filtered and sorted by. `sql` is ours, never input.
struct ListColumn {
  enum class Type : std::uint8_t { kText, kInteger, kBoolean, kTime };
  std::string_view key;
  std::string_view sql;
  Type type = Type::kText;
};

/// Renders a ListQuery for a table of columns. Conditions come in the order of the columns and
/// lists of values in a few fixed lengths, so the number of different statements stays small.
class SqlFilter {
 public:
  /// The columns live as long as the filter.
  explicit SqlFilter(std::span<const ListColumn> columns) : columns_(columns) {}
  SqlFilter(const SqlFilter&) = delete;
  SqlFilter& operator=(const SqlFilter&) = delete;

  /// A parameter for a placeholder of the statement before the WHERE clause.
  void bind(db::Param param) { params_.push_back(param); }
  /// A condition of our own with at most one placeholder; text behind `param` lives as long as the
  /// filter.
  void require(std::string_view sql);
  void require(std::string_view sql, db::Param param);
  /// As above; the placeholder is behind a LIKE with ESCAPE '!' on text in lower case, and gets a
  /// pattern that matches `text` anywhere.
  void require_like(std::string_view sql, std::string_view text);
  /// Errors: kInvalid when a value does not fit its column ("id=abc") or there are too many.
  Result<void> add(const ListQuery& query);

  /// " WHERE a = ? AND …", or "".
  [[nodiscard]] const std::string& where() const { return where_; }
  /// " ORDER BY …" by the known keys of query.sort, or by `otherwise` (ours); `tie` makes it total.
  [[nodiscard]] std::string order_by(const ListQuery& query, std::string_view otherwise,
                                     std::string_view tie) const;
  [[nodiscard]] db::Params params() const { return params_; }
  /// The parameters followed by LIMIT and OFFSET.
  [[nodiscard]] std::vector<db::Param> page_params(const ListQuery& query) const;

 private:
  Result<void> add_one(const ListColumn& column, const Filter& filter);
  Result<void> add_fuzzy(const ListColumn& column, const Filter& filter);
  Result<void> add_range(const ListColumn& column, const Filter& filter);
  Result<void> add_any_of(const ListColumn& column, const Filter& filter);
  Result<db::Param> convert(const ListColumn& column, std::string_view value);
  std::string_view keep(std::string text);

  std::span<const ListColumn> columns_;
  std::string where_;
  std::vector<db::Param> params_;
  std::deque<std::string> texts_;  ///< What the parameters point to.
};

}  // namespace roadstead::auth
