#include "db/internal/table_shapes.h"

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include <fmt/format.h>

#include "base/text.h"

namespace roadstead::db::internal {
namespace {

constexpr std::string_view kCreateTable = "CREATE TABLE ";
constexpr std::string_view kAlterTable = "ALTER TABLE ";
constexpr std::string_view kAddColumn = "ADD COLUMN ";
constexpr std::string_view kPrimaryKey = "PRIMARY KEY";
constexpr std::string_view kForeignKey = "FOREIGN KEY";

/// Leaves the tokens as they are: they tell the types.
const Dialect& portable_dialect() {
  static constexpr std::array<Dialect::Token, 9> kTokens = {{{"{id}", "{id}"},
                                                             {"{int}", "{int}"},
                                                             {"{time}", "{time}"},
                                                             {"{bool}", "{bool}"},
                                                             {"{name}", "{name}"},
                                                             {"{digest}", "{digest}"},
                                                             {"{text}", "{text}"},
                                                             {"{bytes}", "{bytes}"},
                                                             {"{empty}", "{empty}"}}};
  static constexpr Dialect kDialect{kTokens, "", "", false};
  return kDialect;
}

Error strange(std::string_view text) {
  return Error{Code::kInternal,
               Subject::kDatabase,
               fmt::format("migration: what is this? {}", text.substr(0, 80)),
               {}};
}

std::string_view take_word(std::string_view& text) {
  text = trim(text);
  const std::size_t end = std::min(text.find_first_of(" (,"), text.size());
  const std::string_view word = text.substr(0, end);
  text.remove_prefix(end);
  return word;
}

Result<TableShape::Kind> kind_of(std::string_view token) {
  if (token == "{id}" || token == "{int}" || token == "{time}" || token == "{bool}") {
    return TableShape::Kind::kInteger;
  }
  if (token == "{name}" || token == "{digest}" || token == "{text}") {
    return TableShape::Kind::kText;
  }
  if (token == "{bytes}") {
    return TableShape::Kind::kBytes;
  }
  return strange(token);
}

Result<void> add_column(TableShape& table, std::string_view definition) {
  const std::string_view name = take_word(definition);
  const std::string_view token = take_word(definition);
  table.columns.push_back({std::string(name), TRY(kind_of(token))});
  if (token == "{id}" || definition.find(kPrimaryKey) != std::string_view::npos) {
    table.key.push_back(table.columns.size() - 1);
  }
  table.gives_ids = table.gives_ids || token == "{id}";
  return {};
}

Result<void> set_key(TableShape& table, std::string_view definition) {
  const std::size_t begin = definition.find('(') + 1;
  const std::string_view names = definition.substr(begin, definition.find(')') - begin);
  for (const std::string_view name : split(names, ',')) {
    const auto found =
        std::find_if(table.columns.begin(), table.columns.end(),
                     [&](const TableShape::Column& column) { return column.name == trim(name); });
    if (found == table.columns.end()) {
      return strange(definition);
    }
    table.key.push_back(static_cast<std::size_t>(found - table.columns.begin()));
  }
  return {};
}

/// One column or key a line, as all migrations are written.
Result<TableShape> created(std::string_view statement) {
  statement.remove_prefix(kCreateTable.size());
  TableShape table;
  table.name = take_word(statement);
  bool first = true;
  for (const std::string_view line : split(statement, '\n')) {
    const std::string_view definition = trim(line);
    if (std::exchange(first, false) || definition == ")" || definition.starts_with(kForeignKey)) {
      continue;
    }
    TRY(definition.starts_with(kPrimaryKey) ? set_key(table, definition)
                                            : add_column(table, definition));
  }
  if (table.key.empty()) {
    return strange(table.name);
  }
  return table;
}

Result<void> alter(std::vector<TableShape>& tables, std::string_view statement) {
  std::string_view rest = statement.substr(kAlterTable.size());
  const std::string_view name = take_word(rest);
  const auto table = std::find_if(tables.begin(), tables.end(),
                                  [&](const TableShape& one) { return one.name == name; });
  rest = trim(rest);
  if (table == tables.end() || !rest.starts_with(kAddColumn)) {
    return strange(statement);
  }
  return add_column(*table, rest.substr(kAddColumn.size()));
}

}  // namespace

bool TableShape::has_bytes() const {
  return std::any_of(columns.begin(), columns.end(),
                     [](const Column& column) { return column.kind == Kind::kBytes; });
}

Result<std::vector<TableShape>> table_shapes(std::span<const Migration> migrations) {
  std::vector<TableShape> tables;
  for (const Migration& migration : migrations) {
    const auto statements = TRY(render(migration.text, portable_dialect()));
    for (const std::string& statement : statements) {
      if (statement.starts_with(kCreateTable)) {
        tables.push_back(TRY(created(statement)));
      } else if (statement.starts_with(kAlterTable)) {
        TRY(alter(tables, statement));
      } else if (statement.find(" TABLE ") != std::string::npos) {
        return strange(statement);
      }
    }
  }
  return tables;
}

}  // namespace roadstead::db::internal
