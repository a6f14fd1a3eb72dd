#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "db/database.h"

// Types of the client library, which only the .cpp needs whole.
struct st_mysql_stmt;
struct st_mysql_bind;

namespace roadstead::db::internal {

/// Parameters as the client library takes them. Views into the parameters and into itself.
class MysqlParams {
 public:
  /// `order`: for each placeholder the index of its parameter.
  MysqlParams(Params params, std::span<const std::uint16_t> order);
  MysqlParams(const MysqlParams&) = delete;
  MysqlParams& operator=(const MysqlParams&) = delete;
  ~MysqlParams();
  /// False when the library refuses them.
  [[nodiscard]] bool bind_to(st_mysql_stmt* statement);

 private:
  struct Adder;
  std::vector<st_mysql_bind> binds_;
  std::vector<std::int64_t> numbers_;
};

/// The whole result of a statement, taken off the connection, so that other statements may run
/// while it is walked through.
class MysqlRows final : public Row {
 public:
  /// Reads what an executed statement answers; false when that fails (mysql_stmt_errno()).
  [[nodiscard]] bool fetch(st_mysql_stmt* statement);
  [[nodiscard]] std::size_t count() const { return columns_ == 0 ? 0 : cells_.size() / columns_; }
  void move_to(std::size_t row) { first_cell_ = row * columns_; }

  [[nodiscard]] bool is_null(int column) const override;
  [[nodiscard]] std::int64_t integer(int column) const override;
  [[nodiscard]] std::string_view text(int column) const override;

 private:
  enum class Kind : std::uint8_t { kNull, kNumber, kText };
  struct Cell {
    Kind kind = Kind::kNull;
    std::int64_t number = 0;  ///< Or where the text begins.
    std::size_t size = 0;
  };
  struct Column;
  [[nodiscard]] bool fetch_row(st_mysql_stmt* statement, std::vector<Column>& columns);
  [[nodiscard]] const Cell& cell(int column) const;

  std::size_t columns_ = 0;
  std::size_t first_cell_ = 0;
  std::vector<Cell> cells_;
  std::string data_;
};

}  // namespace roadstead::db::internal
