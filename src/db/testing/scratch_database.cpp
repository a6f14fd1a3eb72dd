#include "db/testing/scratch_database.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <utility>
#include <vector>

#include "base/log.h"
#include "db/internal/sqlite_connection.h"
#include "sys/testing/scratch_directory.h"

namespace roadstead::db::testing {
namespace {

const Clock& system_clock() {
  static const SystemClock clock;
  return clock;
}

/// Aborts with the error's text when there is no value.
template <typename T>
T must(Result<T> result) {
  if (!result) {
    std::fprintf(stderr, "%s\n", describe(result.error()).c_str());
    std::abort();
  }
  return std::move(result).value();
}

std::string plan_of(const std::filesystem::path& path, std::string_view sql, Params params) {
  using internal::SqliteConnection;
  const auto connection =
      must(SqliteConnection::open({.path = path, .access = SqliteConnection::Access::kRead}));
  std::string plan;
  const auto add_step = [&](const Row& row) {
    plan += row.text(3);
    plan += '\n';
    return true;
  };
  const Result<void> result =
      connection->each("EXPLAIN QUERY PLAN " + std::string(sql), params, add_step);
  return result ? plan : describe(result.error());
}

}  // namespace

struct ScratchDatabase::State {
  State(const Clock& the_clock, SqliteOptions the_options)
      : clock(the_clock),
        sink(2, log::Format::kText, log::Level::kError, the_clock),
        options(std::move(the_options)) {
    options.path = directory.path() / "roadstead.db";
    open();
  }
  void open() { database = must(SqliteDatabase::open(options, clock, log::Logger(sink))); }

  const Clock& clock;
  log::Sink sink;
  sys::testing::ScratchDirectory directory;
  SqliteOptions options;
  std::unique_ptr<SqliteDatabase> database;
};

ScratchDatabase::ScratchDatabase(std::unique_ptr<State> state) : state_(std::move(state)) {}
ScratchDatabase::ScratchDatabase(ScratchDatabase&&) noexcept = default;
ScratchDatabase& ScratchDatabase::operator=(ScratchDatabase&&) noexcept = default;
ScratchDatabase::~ScratchDatabase() = default;

SqliteDatabase& ScratchDatabase::get() const {
  return *state_->database;
}

std::string ScratchDatabase::explain(std::string_view sql,
                                     std::initializer_list<Param> params) const {
  return plan_of(path(), sql, Params(params.begin(), params.size()));
}

std::string ScratchDatabase::explain(std::string_view sql) const {
  const auto count = static_cast<std::size_t>(std::count(sql.begin(), sql.end(), '?'));
  return plan_of(path(), sql, std::vector<Param>(count, Param(nullptr)));
}

void ScratchDatabase::close() {
  state_->database.reset();
}

void ScratchDatabase::reopen() {
  close();
  state_->open();
}

const std::filesystem::path& ScratchDatabase::path() const {
  return state_->options.path;
}

const std::filesystem::path& ScratchDatabase::directory() const {
  return state_->directory.path();
}

ScratchDatabase open_scratch_database(SqliteOptions options) {
  return open_scratch_database(system_clock(), std::move(options));
}

ScratchDatabase open_scratch_database(const Clock& clock, SqliteOptions options) {
  return ScratchDatabase(std::make_unique<ScratchDatabase::State>(clock, std::move(options)));
}

}  // namespace roadstead::db::testing
