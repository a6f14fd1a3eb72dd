#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "app/settings.h"
#include "backup/source.h"
#include "base/result.h"
#include "db/database.h"

namespace roadstead::app {

/// Answers the requests by which another process of this machine copies the installation (holds,
/// copies of the database). Nothing when the request is about something else.
std::optional<std::string> answer_copy_request(db::Database& database, std::string_view request);

/// The installation that `settings` name, as a source of copies: through the running server when
/// there is one, else by the data directory's lock, which is then kept. Errors: kNotFound +
/// kConfiguration when there is no installation. The settings outlive it.
Result<std::unique_ptr<backup::Source>> open_copy_source(const Settings& settings);

}  // namespace roadstead::app
