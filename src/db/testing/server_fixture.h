#pragma once

#include <array>
#include <atomic>
#include <barrier>
#include <chrono>
#include <limits>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "db/migration.h"
#include "db/server.h"
#include "db/testing/scratch_server.h"

namespace roadstead::db::testing {

inline constexpr std::string_view kInsertProperty =
    "INSERT INTO property (name, value, update_time) VALUES (?, ?, ?)";

inline Result<void> put(WriteSession& session, std::string_view name, std::string_view value) {
  TRY(session.execute(kInsertProperty, {name, value, session.now()}));
  return {};
}

inline Result<void> put(Database& database, std::string_view name, std::string_view value) {
  return database.write([&](WriteSession& session) { return put(session, name, value); });
}

inline Result<std::optional<std::string>> get(ReadSession& session, std::string_view name) {
  return session.first("SELECT value FROM property WHERE name = ?", {name},
                       [](const Row& row) { return std::string(row.text(0)); });
}

inline std::optional<std::string> get(Database& database, std::string_view name) {
  return database.read([&](ReadSession& session) { return get(session, name); }).value();
}

/// What each engine's server promises of the port. Skipped where no server is given.
class ServerFixture : public ::testing::TestWithParam<ServerEngine> {
 protected:
  void SetUp() override {
    if (!server_url(GetParam())) {
      GTEST_SKIP() << "no server: its URL is not in ROADSTEAD_TEST_"
                   << (postgresql() ? "POSTGRESQL" : "MYSQL") << "_URL";
    }
    server_ = std::make_unique<ScratchServer>(GetParam());
  }
  /// Leaves no table, for tests of what makes them.
  void begin_without_tables() { server_->remove_tables(); }
  static bool postgresql() { return GetParam() == ServerEngine::kPostgresql; }
  [[nodiscard]] ScratchServer& server() const { return *server_; }

  /// With a table `v (id, n, t, b)` whose columns take null.
  std::unique_ptr<Database> database_with_values() {
    auto database = server().open();
    const Dialect& dialect = postgresql() ? postgresql_dialect() : mysql_dialect(true);
    const auto statements =
        render("CREATE TABLE v (id {id}, n {int}, t {text}, b {bytes});\n", dialect);
    server().run(statements.value().front());
    return database;
  }

 private:
  std::unique_ptr<ScratchServer> server_;
};

inline Result<std::int64_t> insert_value(Database& database, const Param& number, const Param& text,
                                         const Param& bytes) {
  return database.write([&](WriteSession& session) {
    return session.insert("INSERT INTO v (n, t, b) VALUES (?, ?, ?)", {number, text, bytes});
  });
}

struct Value {
  bool null_number, null_text, null_bytes;
  std::int64_t number;
  std::string text, bytes;
  bool operator==(const Value&) const = default;
};

inline Value value_at(Database& database, std::int64_t id) {
  return database
      .read([&](ReadSession& session) {
        return session.first("SELECT n, t, b FROM v WHERE id = ?", {id}, [](const Row& row) {
          return Value{row.is_null(0), row.is_null(1),           row.is_null(2),
                       row.integer(0), std::string(row.text(1)), std::string(row.text(2))};
        });
      })
      .value()
      .value();
}

}  // namespace roadstead::db::testing
