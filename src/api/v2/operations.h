#pragma once

#include <functional>
#include <string>
#include <vector>

#include "api/operation/operation.h"
#include "auth/user_store.h"
#include "db/database.h"
#include "gc/collector.h"
#include "project/project_content.h"
#include "registry/options.h"

namespace roadstead::api {

/// What GET /systeminfo tells of this installation.
struct Installation {
  std::string version;           ///< Of Roadstead, "0.1.0".
  std::string external_url;      ///< As configured, or empty: what the request says.
  std::string storage_provider;  ///< "filesystem"
};

/// What the operations work with; outlives them.
struct V2Parts {
  db::Database& database;
  auth::UserStore& users;
  project::ProjectContent& content;
  const registry::Options& registry_options;
  gc::Collector* collector = nullptr;  ///< Null only where no operation ever runs.
  Installation installation;
  /// Whether the store of content was reached when it was asked last. Empty: it always is.
  std::function<bool()> store_answers{};
};

inline constexpr std::string_view kV2Base = "/api/v2.0";

/// The version of Harbor's API that this one is like, with our own behind it: clients decide by its
/// first part what they may call.
std::string api_version(const Installation& installation);

/// All operations of the REST API below kV2Base.
std::vector<Operation> v2_operations(const V2Parts& parts);

}  // namespace roadstead::api
