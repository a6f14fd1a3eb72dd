#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <initializer_list>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <variant>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "base/strong_id.h"

namespace roadstead::db {

/// A parameter of a statement; holds views, so it lives only for the call. Bytes are stored as a
/// blob, text as text.
class Param {
 public:
  Param(std::nullptr_t) {}  // NOLINT(google-explicit-constructor)
  template <typename T>
    requires std::is_integral_v<T>
  Param(T number)
      : value_(static_cast<std::int64_t>(number)) {}  // NOLINT(google-explicit-constructor)
  template <typename Tag>
  Param(StrongId<Tag> id) : value_(id.value) {}   // NOLINT(google-explicit-constructor)
  Param(Time time) : value_(to_micros(time)) {}   // NOLINT(google-explicit-constructor)
  Param(std::string_view text) : value_(text) {}  // NOLINT(google-explicit-constructor)
  Param(const std::string& text)
      : value_(std::string_view(text)) {}  // NOLINT(google-explicit-constructor)
  Param(const char* text)
      : value_(std::string_view(text)) {}                     // NOLINT(google-explicit-constructor)
  Param(std::span<const std::byte> bytes) : value_(bytes) {}  // NOLINT(google-explicit-constructor)
  template <typename T>
  Param(const std::optional<T>& maybe) {  // NOLINT(google-explicit-constructor)
    if (maybe) {
      *this = Param(*maybe);
    }
  }

  using Variant =
      std::variant<std::monostate, std::int64_t, std::string_view, std::span<const std::byte>>;
  [[nodiscard]] const Variant& get() const { return value_; }

 private:
  Variant value_;
};
using Params = std::span<const Param>;

/// The current row of a result; valid only inside the callback it is handed to. Columns count from
/// 0. Null reads as 0 or "".
class Row {
 public:
  virtual ~Row() = default;
  [[nodiscard]] virtual bool is_null(int column) const = 0;
  [[nodiscard]] virtual std::int64_t integer(int column) const = 0;
  [[nodiscard]] virtual std::string_view text(int column) const = 0;  ///< Text or blob bytes.
  [[nodiscard]] bool boolean(int column) const { return integer(column) != 0; }
  [[nodiscard]] Time time(int column) const { return from_micros(integer(column)); }
  template <typename Id>
  [[nodiscard]] Id id(int column) const {
    return Id{integer(column)};
  }
};

/// Reads inside one consistent snapshot. SQL uses '?' placeholders and the portable subset of
/// ADR 4. Statements are prepared once per connection and remembered by their text, so keep the set
/// of texts bounded. Errors of all statements: kUnavailable + kDatabase (busy, gone, disk full),
/// kConflict + kDatabase (a unique or foreign key is violated; `detail` names the constraint when
/// the engine tells), kInvalid + kDatabase (text that the engine cannot hold), kInternal +
/// kDatabase (a defect in the statement).
class ReadSession {
 public:
  virtual ~ReadSession() = default;

  /// Calls `row` for each row until it returns false or the rows end.
  virtual Result<void> each(std::string_view sql, Params params,
                            const std::function<bool(const Row&)>& row) = 0;
  Result<void> each(std::string_view sql, std::initializer_list<Param> params,
                    const std::function<bool(const Row&)>& row) {
    return each(sql, Params(params.begin(), params.size()), row);
  }

  /// The first row through `map`, or nothing.
  template <typename F>
  auto first(std::string_view sql, std::initializer_list<Param> params, F&& map)
      -> Result<std::optional<std::invoke_result_t<F, const Row&>>> {
    return first(sql, Params(params.begin(), params.size()), std::forward<F>(map));
  }
  template <typename F>
  auto first(std::string_view sql, Params params, F&& map)
      -> Result<std::optional<std::invoke_result_t<F, const Row&>>> {
    std::optional<std::invoke_result_t<F, const Row&>> found;
    TRY(each(sql, params, [&](const Row& row) {
      found.emplace(map(row));
      return false;
    }));
    return found;
  }
  /// All rows through `map`; the statement itself must bound them (LIMIT).
  template <typename F>
  auto all(std::string_view sql, std::initializer_list<Param> params, F&& map)
      -> Result<std::vector<std::invoke_result_t<F, const Row&>>> {
    return all(sql, Params(params.begin(), params.size()), std::forward<F>(map));
  }
  template <typename F>
  auto all(std::string_view sql, Params params, F&& map)
      -> Result<std::vector<std::invoke_result_t<F, const Row&>>> {
    std::vector<std::invoke_result_t<F, const Row&>> rows;
    TRY(each(sql, params, [&](const Row& row) {
      rows.push_back(map(row));
      return true;
    }));
    return rows;
  }

  /// The database's clock, the same for the whole session: every time that decides something comes
  /// from here.
  virtual Time now() = 0;
};

/// Reads and changes inside one transaction. On a database server other transactions commit between
/// its statements, and each statement sees what was committed before it: what a function decides on
/// it has locked. A SELECT that ends with FOR UPDATE, FOR NO KEY UPDATE (changed, but neither
/// removed nor renamed) or FOR KEY SHARE (must not go away) locks its rows until the end, with FOR
/// UPDATE SKIP LOCKED those that nobody else has; a decision about other rows takes a lock first
/// and reads in a statement of its own (ADR 12). Where there is one writer such endings are
/// dropped.
class WriteSession : public ReadSession {
 public:
  /// Locks the rows of a SELECT with such an ending, for a decision that is read after it. Rows
  /// that are not there are not locked. False where there is one writer: nothing was done, and what
  /// was read before still holds.
  virtual Result<bool> lock(std::string_view sql, Params params) = 0;
  Result<bool> lock(std::string_view sql, std::initializer_list<Param> params) {
    return lock(sql, Params(params.begin(), params.size()));
  }
  /// Number of rows changed.
  virtual Result<std::int64_t> execute(std::string_view sql, Params params) = 0;
  Result<std::int64_t> execute(std::string_view sql, std::initializer_list<Param> params) {
    return execute(sql, Params(params.begin(), params.size()));
  }
  /// A change of which only success matters. On a database server it may travel with the statement
  /// after it or with the commit, and then costs no round trip of its own; the order of statements
  /// stays. What fails it may be the error of that statement, or of write().
  virtual Result<void> execute_later(std::string_view sql, Params params) {
    TRY(execute(sql, params));
    return {};
  }
  Result<void> execute_later(std::string_view sql, std::initializer_list<Param> params) {
    return execute_later(sql, Params(params.begin(), params.size()));
  }
  /// Runs an INSERT of one row, without ON CONFLICT, into a table with an `id` column and returns
  /// the new id.
  virtual Result<std::int64_t> insert(std::string_view sql, Params params) = 0;
  Result<std::int64_t> insert(std::string_view sql, std::initializer_list<Param> params) {
    return insert(sql, Params(params.begin(), params.size()));
  }
  /// Whether other transactions run at the same time. Where not, locks have nothing to do.
  [[nodiscard]] virtual bool shared() const = 0;
  /// A hint to run after the commit, e.g. to wake a worker: may come late, in any order or, after a
  /// crash, never.
  virtual void after_commit(std::function<void()> hint) = 0;
};

/// What a change survives once write() has returned success. Changes are never reordered: after a
/// loss of power the database is as it was after some commit, with every durable one before it.
enum class Durability : std::uint8_t {
  kPowerLoss,    ///< Loss of power, and all below.
  kProcessDeath  ///< kill -9. For state that a loss of power voids anyway: costs no sync.
};

/// Counters for metrics; monotonically rising since start unless they say "now".
struct Statistics {
  std::uint64_t commits = 0;
  std::uint64_t write_functions = 0;
  std::uint64_t read_sessions = 0;
  std::uint64_t statements = 0;  ///< Of sessions, with the BEGIN, COMMIT and SAVEPOINT around them.
  // Of the embedded engine.
  std::uint64_t wal_cuts = 0;  ///< The write-ahead log exceeded its limit and was emptied.
  std::uint64_t write_queue_length = 0;  ///< now
  std::uint64_t wal_bytes = 0;           ///< now
  // Of a server.
  std::uint64_t round_trips = 0;  ///< Times that sessions waited for its answer.
  std::uint64_t retries = 0;      ///< Functions run again after a conflict or a lost connection.
  std::uint64_t connects = 0;     ///< Connections opened.
  std::uint64_t connection_losses = 0;  ///< Connections that broke or did not answer in time.
  std::uint64_t refusals = 0;  ///< Sessions refused: no connection was free, or the server is away.
  std::uint64_t connections_busy = 0;  ///< now
  std::uint64_t connections_idle = 0;  ///< now
};

/// Where all state lives. Thread-safe. The two verbs below are everything that capability code
/// sees.
class Database {
 public:
  virtual ~Database() = default;

  /// Runs `fn` on a consistent snapshot that begins after the call. Short: at most a few
  /// milliseconds.
  template <typename F>
  auto read(F&& fn) -> std::invoke_result_t<F, ReadSession&> {
    return read_as(Snapshot::kTransaction, fn);
  }
  /// As read(), for a function that runs one statement at most. A statement is a snapshot by
  /// itself, so the transaction around it is saved: the way of hot requests. A second statement
  /// breaks a CHECK.
  template <typename F>
  auto read_once(F&& fn) -> std::invoke_result_t<F, ReadSession&> {
    return read_as(Snapshot::kStatement, fn);
  }

  /// Runs `fn` in a transaction: all of it happens or, when it returns an Error, nothing. When this
  /// returns success it survives what `durability` says. `fn` may run more than once (conflict,
  /// failed group commit) and on another thread: no side effect outside the session, and everything
  /// it captures lives until write() returns. At most about 1,000 rows per call; page larger work.
  template <typename F>
  auto write(F&& fn, Durability durability = Durability::kPowerLoss)
      -> std::invoke_result_t<F, WriteSession&> {
    using R = std::invoke_result_t<F, WriteSession&>;
    std::optional<R> result;
    const auto run = [&](WriteSession& session) -> Result<void> {
      result.emplace(fn(session));
      if (!result->has_value()) {
        return result->error();
      }
      return {};
    };
    const Result<void> outcome = run_write(run, durability);
    if (!outcome) {
      return outcome.error();
    }
    return std::move(*result);
  }

  /// True when a read on this engine is so short that an I/O thread may do it (embedded, no
  /// network).
  [[nodiscard]] virtual bool reads_are_local() const = 0;
  /// One line for `health`: success, or why not.
  virtual Result<void> ping() = 0;
  [[nodiscard]] virtual Statistics statistics() const = 0;
  /// Writes a consistent copy of the database, as it is at some moment of the call, into a new file
  /// of the embedded engine (mode 0600), which survives power loss when this returns. Readers and
  /// writers go on. Errors: kConflict + kStorage when there is such a file; kUnavailable when the
  /// disk is full. What a failure leaves is removed.
  virtual Result<void> copy_to(const std::filesystem::path& path) = 0;

 protected:
  /// What makes a session see one state of the database.
  enum class Snapshot : std::uint8_t { kTransaction, kStatement };
  virtual Result<void> run_read(const std::function<Result<void>(ReadSession&)>& fn,
                                Snapshot snapshot) = 0;
  virtual Result<void> run_write(const std::function<Result<void>(WriteSession&)>& fn,
                                 Durability durability) = 0;

 private:
  template <typename F>
  auto read_as(Snapshot snapshot, F& fn) -> std::invoke_result_t<F, ReadSession&> {
    using R = std::invoke_result_t<F, ReadSession&>;
    std::optional<R> result;
    const auto run = [&](ReadSession& session) -> Result<void> {
      result.emplace(fn(session));
      return {};
    };
    // By reference: a function object that fits into std::function's own memory costs no
    // allocation.
    const Result<void> outcome = run_read(std::ref(run), snapshot);
    if (!outcome) {
      return outcome.error();
    }
    return std::move(*result);
  }
};

}  // namespace roadstead::db
