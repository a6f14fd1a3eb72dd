#pragma once

#include <chrono>
#include <filesystem>
#include <string>
#include <string_view>

#include "base/result.h"
#include "db/database.h"

namespace roadstead::backup {

/// The installation that is copied, as far as only the process that owns its database can do it:
/// the running server through its admin socket (app/), or the database itself while none runs.
class Source {
 public:
  virtual ~Source() = default;
  /// As registry/hold.h.
  virtual Result<std::string> take_hold(std::string_view owner, std::chrono::seconds duration) = 0;
  virtual Result<void> renew_hold(const std::string& id, std::chrono::seconds duration) = 0;
  virtual Result<void> release_hold(const std::string& id) = 0;
  /// As db::Database::copy_to().
  virtual Result<void> copy_database(const std::filesystem::path& to) = 0;
};

/// A database of this process.
class DatabaseSource final : public Source {
 public:
  explicit DatabaseSource(db::Database& database) : database_(database) {}
  Result<std::string> take_hold(std::string_view owner, std::chrono::seconds duration) override;
  Result<void> renew_hold(const std::string& id, std::chrono::seconds duration) override;
  Result<void> release_hold(const std::string& id) override;
  Result<void> copy_database(const std::filesystem::path& to) override;

 private:
  db::Database& database_;
};

}  // namespace roadstead::backup
