#pragma once

#include <string>

#include "api/oci/redirect.h"
#include "auth/authenticator.h"
#include "db/database.h"
#include "registry/options.h"
#include "registry/upload.h"
#include "storage/blob_store.h"

namespace roadstead::api::oci {

/// What the endpoints work with. Built by app/; everything outlives the Api.
struct Services {
  db::Database& database;
  storage::BlobStore& store;
  registry::Uploads& uploads;
  auth::Authenticator& authenticator;
  registry::Options options;
  std::string external_url;    ///< For challenges; empty: what the request says of itself.
  RedirectPolicy redirects{};  ///< Of downloads, where the store has URLs.
};

}  // namespace roadstead::api::oci
