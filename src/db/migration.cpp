#include "db/migration.h"

#include <array>

#include <fmt/format.h>

#include "base/text.h"

namespace roadstead::db {
namespace {

constexpr std::array<Dialect::Token, 8> kSqliteTokens = {{
    // AUTOINCREMENT, because a deleted row's id must not come back as somebody else's.
    {"{id}", "INTEGER PRIMARY KEY AUTOINCREMENT"},
    {"{int}", "INTEGER"},
    {"{time}", "INTEGER"},
    {"{bool}", "INTEGER"},
    {"{name}", "TEXT"},
    {"{digest}", "TEXT"},
    {"{text}", "TEXT"},
    {"{bytes}", "BLOB"},
}};

constexpr std::string_view kVersionTable =
    "CREATE TABLE IF NOT EXISTS schema_version (\n"
    "  version {int} NOT NULL PRIMARY KEY,\n"
    "  name {name} NOT NULL,\n"
    "  applied_at {time} NOT NULL\n"
    ");\n";

Error defect(std::string message) {
  return {Code::kInternal, Subject::kDatabase, std::move(message), {}};
}

Result<std::string> replace_tokens(std::string_view statement, const Dialect& dialect) {
  std::string rendered;
  std::size_t position = 0;
  for (;;) {
    const std::size_t brace = statement.find('{', position);
    rendered += statement.substr(position, brace - position);
    if (brace == std::string_view::npos) {
      return rendered;
    }
    const std::string_view rest = statement.substr(brace);
    const std::string_view name = rest.substr(0, rest.find('}') + 1);
    const Dialect::Token* known = nullptr;
    for (const Dialect::Token& token : dialect.tokens) {
      known = token.name == name ? &token : known;
    }
    if (known == nullptr) {
      return defect(fmt::format("migration: unknown token at: {}", rest.substr(0, 20)));
    }
    rendered += known->sql;
    position = brace + name.size();
  }
}

Result<std::string> render_statement(std::string_view statement, const Dialect& dialect) {
  std::string rendered = TRY(replace_tokens(statement, dialect));
  if (statement.starts_with("CREATE TABLE")) {
    rendered += dialect.table_suffix;
    if (statement.find("PRIMARY KEY (") != std::string_view::npos) {
      rendered += dialect.edge_table_suffix;
    }
  }
  return rendered;
}

Result<void> apply(WriteSession& session, const Migration& migration, const Dialect& dialect) {
  for (const std::string& statement : TRY(render(migration.text, dialect))) {
    TRY(session.execute(statement, {}));
  }
  TRY(session.execute("INSERT INTO schema_version (version, name, applied_at) VALUES (?, ?, ?)",
                      {migration.version, migration.name, session.now()}));
  return {};
}

}  // namespace

const Dialect& sqlite_dialect() {
  static constexpr Dialect kDialect{kSqliteTokens, " STRICT", ", WITHOUT ROWID"};
  return kDialect;
}

Result<std::vector<std::string>> render(std::string_view text, const Dialect& dialect) {
  std::vector<std::string> statements;
  std::string statement;
  for (const std::string_view line : split(text, '\n')) {
    const std::string_view content = trim(line);
    if (content.empty() || content.starts_with("--")) {
      continue;
    }
    if (!statement.empty()) {
      statement += '\n';
    }
    statement += line;
    if (content.ends_with(';')) {
      statement.resize(statement.rfind(';'));
      statements.push_back(TRY(render_statement(statement, dialect)));
      statement.clear();
    }
  }
  if (!statement.empty()) {
    return defect(fmt::format("migration: no ';' after: {}", statement.substr(0, 60)));
  }
  return statements;
}

Result<int> migrate(WriteSession& session, std::span<const Migration> migrations,
                    const Dialect& dialect) {
  for (const std::string& statement : TRY(render(kVersionTable, dialect))) {
    TRY(session.execute(statement, {}));
  }
  const std::int64_t current =
      TRY(session.first("SELECT coalesce(max(version), 0) FROM schema_version", {},
                        [](const Row& row) { return row.integer(0); }))
          .value_or(0);
  const int newest = migrations.empty() ? 0 : migrations.back().version;
  if (current > newest) {
    return Error{
        Code::kPrecondition,
        Subject::kDatabase,
        fmt::format("the database has schema version {} and this program knows {}; use the "
                    "program that made it, or a newer one",
                    current, newest),
        {}};
  }
  int applied = 0;
  for (const Migration& migration : migrations) {
    if (migration.version > current) {
      TRY(apply(session, migration, dialect));
      ++applied;
    }
  }
  return applied;
}

}  // namespace roadstead::db
