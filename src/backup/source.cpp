#include "backup/source.h"

#include "registry/hold.h"

namespace roadstead::backup {

Result<std::string> DatabaseSource::take_hold(std::string_view owner,
                                              std::chrono::seconds duration) {
  return database_.write(
      [&](db::WriteSession& session) { return registry::take_hold(session, owner, duration); });
}

Result<void> DatabaseSource::renew_hold(const std::string& id, std::chrono::seconds duration) {
  return database_.write(
      [&](db::WriteSession& session) { return registry::renew_hold(session, id, duration); });
}

Result<void> DatabaseSource::release_hold(const std::string& id) {
  return database_.write(
      [&](db::WriteSession& session) { return registry::release_hold(session, id); });
}

Result<void> DatabaseSource::copy_database(const std::filesystem::path& to) {
  return database_.copy_to(to);
}

}  // namespace roadstead::backup
