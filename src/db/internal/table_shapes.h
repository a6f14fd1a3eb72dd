#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "db/migration.h"

namespace roadstead::db::internal {

/// A table as the migrations define it.
struct TableShape {
  enum class Kind : std::uint8_t { kInteger, kText, kBytes };
  struct Column {
    std::string name;
    Kind kind;
  };
  std::string name;
  std::vector<Column> columns;
  std::vector<std::size_t> key;  ///< The columns of the primary key, in its order.
  bool gives_ids = false;        ///< Has an {id}.
  [[nodiscard]] bool has_bytes() const;
};

/// All tables of the schema, each after those that it refers to. Errors: kInternal when a migration
/// is written as none was before.
Result<std::vector<TableShape>> table_shapes(std::span<const Migration> migrations);

}  // namespace roadstead::db::internal
