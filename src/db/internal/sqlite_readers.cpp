#include "db/internal/sqlite_readers.h"

#include <utility>

#include <sched.h>

namespace roadstead::db::internal {

SqliteReaders::~SqliteReaders() {
  for (Place& place : places_) {
    delete place.exchange(nullptr);
  }
}

SqliteReaders::Place& SqliteReaders::place_of_this_processor() {
  // A thread that moves to another processor meanwhile is not wrong, only less lucky.
  const int processor = ::sched_getcpu();
  return places_[processor < 0 ? 0 : static_cast<std::size_t>(processor) % kPlaces];
}

Result<std::unique_ptr<SqliteConnection>> SqliteReaders::take() {
  if (SqliteConnection* mine =
          place_of_this_processor().exchange(nullptr, std::memory_order_acquire)) {
    return std::unique_ptr<SqliteConnection>(mine);
  }
  std::unique_ptr<SqliteConnection> last;
  others_.with([&](auto& others) {
    if (!others.empty()) {
      last = std::move(others.back());
      others.pop_back();
    }
  });
  if (last != nullptr) {
    return last;
  }
  return open_();
}

void SqliteReaders::give_back(std::unique_ptr<SqliteConnection> connection) {
  SqliteConnection* const mine = connection.release();
  SqliteConnection* empty = nullptr;
  if (place_of_this_processor().compare_exchange_strong(empty, mine, std::memory_order_release,
                                                        std::memory_order_relaxed)) {
    return;  // The place owns it now.
  }
  connection.reset(mine);
  others_.with([&](auto& others) {
    if (others.size() < idle_max_) {
      others.push_back(std::move(connection));
    }
  });
}

}  // namespace roadstead::db::internal
