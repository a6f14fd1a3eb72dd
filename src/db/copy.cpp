#include "db/copy.h"

#include <algorithm>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include <fmt/format.h>

#include "base/text.h"
#include "db/internal/id_counters.h"
#include "db/internal/table_shapes.h"
#include "db/migration.h"

namespace roadstead::db {
namespace {

using internal::TableShape;

/// Rows at once: with bytes they are up to 4 MiB each.
constexpr std::size_t kPageMax = 512;
constexpr std::size_t kPageOfBytesMax = 64;
/// Rows in one INSERT, as far as its values stay below what every server takes in one packet.
constexpr std::size_t kRowsPerInsert = 64;
constexpr std::size_t kBytesPerInsert = 1U << 20U;

using Value = std::variant<std::monostate, std::int64_t, std::string>;
using Values = std::vector<Value>;

Error refused(std::string message) {
  return Error{Code::kPrecondition, Subject::kDatabase, std::move(message), {}};
}

Value value_of(const Row& row, int column, TableShape::Kind kind) {
  if (row.is_null(column)) {
    return std::monostate();
  }
  return kind == TableShape::Kind::kInteger ? Value(row.integer(column))
                                            : Value(std::string(row.text(column)));
}

struct AsParam {
  TableShape::Kind kind;
  Param operator()(std::monostate) const { return nullptr; }
  Param operator()(std::int64_t number) const { return number; }
  Param operator()(const std::string& text) const {
    return kind == TableShape::Kind::kBytes ? Param(bytes_of(text)) : Param(text);
  }
};

std::size_t size_of(const Values& row) {
  std::size_t size = 0;
  for (const Value& value : row) {
    const auto* text = std::get_if<std::string>(&value);
    size += text == nullptr ? sizeof(std::int64_t) : text->size();
  }
  return size;
}

std::string joined(const TableShape& table, const std::vector<std::size_t>& columns) {
  std::string names;
  for (const std::size_t column : columns) {
    names += (names.empty() ? "" : ", ") + table.columns[column].name;
  }
  return names;
}

std::string placeholders(std::size_t count) {
  std::string text = "(?";
  for (std::size_t i = 1; i < count; ++i) {
    text += ", ?";
  }
  return text + ")";
}

/// Rows of one table, from one database into another.
class TableCopy {
 public:
  TableCopy(const TableShape& table, Database& target) : table_(table), target_(target) {
    std::vector<std::size_t> all(table.columns.size());
    for (std::size_t i = 0; i < all.size(); ++i) {
      all[i] = i;
    }
    columns_ = joined(table, all);
    key_ = joined(table, table.key);
  }

  Result<std::uint64_t> run(ReadSession& source) {
    const std::size_t limit = table_.has_bytes() ? kPageOfBytesMax : kPageMax;
    std::uint64_t rows = 0;
    std::vector<Values> page;
    do {
      page = TRY(read_page(source, page.empty() ? nullptr : &page.back(), limit));
      rows += page.size();
      if (const auto written = write_page(page); !written) {
        Error error = written.error();
        error.message = fmt::format("table {}: {}", table_.name, error.message);
        return error;
      }
    } while (page.size() == limit);
    return rows;
  }

 private:
  Result<std::vector<Values>> read_page(ReadSession& source, const Values* after,
                                        std::size_t limit) {
    std::vector<Param> params;
    std::string where;
    if (after != nullptr) {
      where = table_.key.size() == 1
                  ? fmt::format(" WHERE {} > ?", key_)
                  : fmt::format(" WHERE ({}) > {}", key_, placeholders(table_.key.size()));
      for (const std::size_t column : table_.key) {
        params.push_back(std::visit(AsParam{table_.columns[column].kind}, (*after)[column]));
      }
    }
    params.emplace_back(limit);
    std::vector<Values> page;
    TRY(source.each(
        fmt::format("SELECT {} FROM {}{} ORDER BY {} LIMIT ?", columns_, table_.name, where, key_),
        params, [&](const Row& row) {
          Values values;
          for (std::size_t i = 0; i < table_.columns.size(); ++i) {
            values.push_back(value_of(row, static_cast<int>(i), table_.columns[i].kind));
          }
          page.push_back(std::move(values));
          return true;
        }));
    return page;
  }

  Result<void> write_page(const std::vector<Values>& page) {
    if (page.empty()) {
      return {};
    }
    return target_.write(
        [&](WriteSession& session) -> Result<void> {
          for (std::size_t done = 0; done < page.size();) {
            done += TRY(insert_some(session, std::span(page).subspan(done)));
          }
          return {};
        },
        Durability::kProcessDeath);
  }

  /// A power of two of the rows, so that there are few texts; how many.
  Result<std::size_t> insert_some(WriteSession& session, std::span<const Values> rows) {
    std::size_t count = 1;
    std::size_t bytes = size_of(rows[0]);
    while (count * 2 <= std::min(rows.size(), kRowsPerInsert)) {
      for (std::size_t i = count; i < count * 2; ++i) {
        bytes += size_of(rows[i]);
      }
      if (bytes > kBytesPerInsert) {
        break;
      }
      count *= 2;
    }
    std::string sql = fmt::format("INSERT INTO {} ({}) VALUES ", table_.name, columns_);
    std::vector<Param> params;
    for (std::size_t i = 0; i < count; ++i) {
      sql += (i == 0 ? "" : ", ") + placeholders(table_.columns.size());
      for (std::size_t column = 0; column < table_.columns.size(); ++column) {
        params.push_back(std::visit(AsParam{table_.columns[column].kind}, rows[i][column]));
      }
    }
    TRY(session.execute(sql, params));
    return count;
  }

  const TableShape& table_;
  Database& target_;
  std::string columns_;
  std::string key_;
};

Result<std::int64_t> version_of(Database& database) {
  return database.read([](ReadSession& session) { return schema_version(session); });
}

Result<void> check_ends(Database& source, Database& target, const std::vector<TableShape>& tables) {
  const std::int64_t from = TRY(version_of(source));
  const std::int64_t to = TRY(version_of(target));
  if (from != to || from != embedded_migrations().back().version) {
    return refused(fmt::format("the schema has version {} there, {} here and {} in this program",
                               from, to, embedded_migrations().back().version));
  }
  return target.read([&](ReadSession& session) -> Result<void> {
    for (const TableShape& table : tables) {
      const auto row = TRY(session.first(fmt::format("SELECT 1 FROM {} LIMIT 1", table.name), {},
                                         [](const Row&) { return true; }));
      if (row) {
        return refused(fmt::format("the database to copy into is not empty: there are rows in {}",
                                   table.name));
      }
    }
    return {};
  });
}

}  // namespace

Engine engine_of(std::string_view url) {
  if (url.starts_with("sqlite:")) {
    return Engine::kSqlite;
  }
  return url.starts_with("mysql:") ? Engine::kMysql : Engine::kPostgresql;
}

Result<CopyReport> copy_database(const CopyEnd& source, const CopyEnd& target,
                                 const std::function<void(std::string_view table)>& progress) {
  const auto tables = TRY(internal::table_shapes(embedded_migrations()));
  TRY(check_ends(source.database, target.database, tables));
  TRY(target.database.write([](WriteSession& session) {
    return record_migration(session, {kUnfinishedCopy, "unfinished copy", {}});
  }));
  CopyReport report;
  const auto copied = source.database.read([&](ReadSession& session) -> Result<void> {
    for (const TableShape& table : tables) {
      if (progress) {
        progress(table.name);
      }
      report.rows += TRY(TableCopy(table, target.database).run(session));
      ++report.tables;
    }
    return {};
  });
  if (!copied) {
    return copied.error();
  }
  // After the rows: whatever was given away meanwhile is counted as well.
  for (const TableShape& table : tables) {
    if (table.gives_ids) {
      const std::int64_t last = TRY(internal::last_id(source, table.name));
      TRY(internal::set_last_id(target, table.name, last));
    }
  }
  TRY(target.database.write([](WriteSession& session) {
    return session.execute("DELETE FROM schema_version WHERE version = ?", {kUnfinishedCopy});
  }));
  return report;
}

}  // namespace roadstead::db
