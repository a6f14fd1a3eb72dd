#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "db/database.h"

struct pg_result;

namespace roadstead::db::internal {

/// A row of a result in PostgreSQL's binary format.
class PostgresqlRow final : public Row {
 public:
  explicit PostgresqlRow(const pg_result* result);
  void move_to(int row) { row_ = row; }

  [[nodiscard]] bool is_null(int column) const override;
  [[nodiscard]] std::int64_t integer(int column) const override;
  [[nodiscard]] std::string_view text(int column) const override;

 private:
  [[nodiscard]] std::string_view raw(int column) const;
  const pg_result* result_;
  int columns_;
  int row_ = 0;
};

/// Parameters as libpq takes them: numbers as text, so that the server may choose their type, bytes
/// as they are. Views into the parameters and into itself.
class PostgresqlParams {
 public:
  explicit PostgresqlParams(Params params);
  PostgresqlParams(const PostgresqlParams&) = delete;
  PostgresqlParams& operator=(const PostgresqlParams&) = delete;
  [[nodiscard]] int count() const { return static_cast<int>(values_.size()); }
  [[nodiscard]] const char* const* values() const { return values_.data(); }
  [[nodiscard]] const int* lengths() const { return lengths_.data(); }
  [[nodiscard]] const int* formats() const { return formats_.data(); }

 private:
  struct Adder;
  static constexpr std::size_t kNumberSize = 24;
  std::vector<const char*> values_;
  std::vector<int> lengths_;
  std::vector<int> formats_;
  std::vector<std::array<char, kNumberSize>> numbers_;
};

}  // namespace roadstead::db::internal
