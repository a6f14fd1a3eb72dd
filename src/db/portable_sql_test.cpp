#include "db/internal/portable_sql.h"

#include <algorithm>
#include <array>
#include <set>

#include <gtest/gtest.h>

#include "db/migration.h"

namespace roadstead::db::internal {
namespace {

using Order = std::vector<std::uint16_t>;

TEST(PortableSql, PlaceholdersAreNumberedOutsideOfQuotes) {
  EXPECT_EQ(number_placeholders("SELECT ?, '?', \"?\" WHERE a = ?"),
            "SELECT $1, '?', \"?\" WHERE a = $2");
  EXPECT_EQ(count_placeholders("SELECT ?, '?', \"?\" WHERE a = ?"), 2);
  EXPECT_EQ(number_placeholders("SELECT 'it''s ?'"), "SELECT 'it''s ?'");
}

TEST(PortableSql, LocksAreEndings) {
  const PortableSql locked = take_apart("SELECT 1 FROM t WHERE id = ? FOR KEY SHARE");
  EXPECT_EQ(locked.body, "SELECT 1 FROM t WHERE id = ?");
  EXPECT_EQ(locked.lock, PortableSql::Lock::kKeyShare);
  const PortableSql free = take_apart("SELECT 1 FROM t LIMIT 1 FOR UPDATE SKIP LOCKED");
  EXPECT_EQ(free.body, "SELECT 1 FROM t LIMIT 1");
  EXPECT_EQ(free.lock, PortableSql::Lock::kUpdateFree);
  EXPECT_EQ(take_apart("SELECT ' FOR UPDATE' FROM t").lock, PortableSql::Lock::kNone);
}

TEST(MysqlSql, LocksAreInItsWords) {
  EXPECT_EQ(render_mysql("SELECT 1 FROM t FOR UPDATE").text, "SELECT 1 FROM t FOR UPDATE");
  EXPECT_EQ(render_mysql("SELECT 1 FROM t FOR NO KEY UPDATE").text, "SELECT 1 FROM t FOR UPDATE");
  EXPECT_EQ(render_mysql("SELECT 1 FROM t FOR UPDATE SKIP LOCKED").text,
            "SELECT 1 FROM t FOR UPDATE SKIP LOCKED");
  EXPECT_EQ(render_mysql("SELECT 1 FROM t FOR KEY SHARE").text,
            "SELECT 1 FROM t LOCK IN SHARE MODE");
}

TEST(MysqlSql, ItsWordsAreQuotedWhereTheyAreNamesOfOurs) {
  EXPECT_EQ(render_mysql("SELECT b.id, blob_id FROM blob b WHERE repository_blob.x = 'blob'").text,
            "SELECT b.id, blob_id FROM \"blob\" b WHERE repository_blob.x = 'blob'");
  EXPECT_EQ(render_mysql("FOREIGN KEY (blob_id) REFERENCES blob (id)").text,
            "FOREIGN KEY (blob_id) REFERENCES \"blob\" (id)");
  EXPECT_EQ(render_mysql("INSERT INTO blob(id) SELECT 'it''s a blob', \"blob\"").text,
            "INSERT INTO \"blob\"(id) SELECT 'it''s a blob', \"blob\"");
}

TEST(MysqlSql, ComparisonsOfRowsBecomeRanges) {
  const MysqlSql pair =
      render_mysql("SELECT 1 FROM t WHERE z = ? AND (t.a, b) >= (?, ?) ORDER BY a LIMIT ?");
  EXPECT_EQ(pair.text,
            "SELECT 1 FROM t WHERE z = ? AND ((t.a = ? AND b >= ?) OR (t.a > ?)) ORDER BY a LIMIT "
            "?");
  EXPECT_EQ(pair.order, (Order{0, 1, 2, 1, 3}));
  EXPECT_EQ(pair.parameters, 4U);
  const MysqlSql three = render_mysql("WHERE (a, b, c) < (?, ?, ?)");
  EXPECT_EQ(three.text, "WHERE ((a = ? AND b = ? AND c < ?) OR (a = ? AND b < ?) OR (a < ?))");
  EXPECT_EQ(three.order, (Order{0, 1, 2, 0, 1, 0}));
  EXPECT_EQ(three.parameters, 3U);
}

TEST(MysqlSql, HintsNameAnIndex) {
  EXPECT_EQ(render_mysql("SELECT a FROM t x /* by t_a */ WHERE x.a > ?").text,
            "SELECT a FROM t x FORCE INDEX (t_a) WHERE x.a > ?");
  EXPECT_EQ(render_mysql("SELECT '/* by t_a */'").text, "SELECT '/* by t_a */'");
}

TEST(MysqlSql, OtherBracketsStay) {
  for (const char* sql :
       {"INSERT INTO t (a, b) VALUES (?, ?)", "SELECT 1 WHERE (a, b) = (?, ?)",
        "SELECT 1 WHERE (a, b) IN (SELECT c, d FROM t)", "SELECT COALESCE(a, b) > ?",
        "SELECT 1 WHERE (a) > (?)", "SELECT 1 WHERE (a, b) > (?, 2)", "SELECT 'open", "(", ""}) {
    EXPECT_EQ(render_mysql(sql).text, sql);
  }
  EXPECT_EQ(render_mysql("INSERT INTO t (a, b) VALUES (?, ?)").order, (Order{0, 1}));
}

/// Words that one of MySQL 8.0 to 9 and MariaDB 10.6 to 11 reserves, of those that name things like
/// ours.
constexpr std::array<std::string_view, 128> kReserved = {
    "accessible", "add",      "all",      "alter",     "analyze",   "and",        "as",
    "asc",        "before",   "between",  "bigint",    "binary",    "blob",       "body",
    "both",       "by",       "call",     "cascade",   "case",      "change",     "char",
    "character",  "check",    "collate",  "column",    "condition", "constraint", "continue",
    "convert",    "create",   "cross",    "cube",      "cursor",    "database",   "databases",
    "dec",        "decimal",  "declare",  "default",   "delayed",   "delete",     "desc",
    "describe",   "distinct", "div",      "double",    "drop",      "dual",       "each",
    "else",       "empty",    "enclosed", "escaped",   "except",    "exists",     "exit",
    "explain",    "fetch",    "float",    "for",       "force",     "foreign",    "from",
    "fulltext",   "function", "general",  "generated", "get",       "grant",      "group",
    "grouping",   "groups",   "having",   "if",        "ignore",    "in",         "index",
    "inner",      "insert",   "int",      "integer",   "intersect", "interval",   "into",
    "is",         "iterate",  "join",     "key",       "keys",      "kill",       "lag",
    "lateral",    "lead",     "leave",    "left",      "library",   "like",       "limit",
    "lines",      "load",     "lock",     "long",      "loop",      "manual",     "match",
    "mod",        "natural",  "not",      "null",      "of",        "offset",     "on",
    "option",     "or",       "order",    "out",       "over",      "parallel",   "partition",
    "precision",  "primary",  "qualify",  "range",     "rank",      "read",       "system",
    "trigger",    "window"};
constexpr std::array<std::string_view, 61> kReservedToo = {
    "procedure", "purge",     "real",       "recursive", "references", "regexp",   "release",
    "rename",    "repeat",    "replace",    "require",   "resignal",   "restrict", "return",
    "returning", "revoke",    "right",      "row",       "row_number", "rows",     "schema",
    "select",    "sensitive", "separator",  "set",       "show",       "signal",   "slow",
    "smallint",  "spatial",   "specific",   "sql",       "ssl",        "starting", "stored",
    "table",     "tables",    "terminated", "text",      "then",       "to",       "trailing",
    "undo",      "union",     "unique",     "unlock",    "unsigned",   "update",   "usage",
    "use",       "using",     "values",     "varchar",   "varying",    "virtual",  "when",
    "where",     "while",     "with",       "write",     "xor"};

/// The lower-case words of a text that can be names.
std::set<std::string> names_in(std::string_view text) {
  std::set<std::string> names;
  std::string name;
  for (const char c : text) {
    if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_') {
      name += c;
    } else if (!name.empty()) {
      names.insert(std::exchange(name, {}));
    }
  }
  return names;
}

TEST(MysqlSql, NoOtherNameOfOursIsAWordOfIts) {
  for (const Migration& migration : embedded_migrations()) {
    const auto statements = render(migration.text, mysql_dialect(true));
    ASSERT_TRUE(statements);
    for (const std::string& statement : *statements) {
      // The engine's own words are in capitals here, but for what follows the definitions.
      for (const std::string& name : names_in(statement.substr(0, statement.find(" ENGINE=")))) {
        const bool reserved =
            std::find(kReserved.begin(), kReserved.end(), name) != kReserved.end() ||
            std::find(kReservedToo.begin(), kReservedToo.end(), name) != kReservedToo.end();
        EXPECT_TRUE(!reserved || name == "blob") << name;
      }
    }
  }
}

}  // namespace
}  // namespace roadstead::db::internal
