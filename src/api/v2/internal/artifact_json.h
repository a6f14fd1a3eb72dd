#pragma once

#include <string_view>

#include "api/operation/schema.h"
#include "json/json.h"
#include "registry/listing.h"

namespace roadstead::api::internal {

/// How the REST API shows an artifact and its tags.
void write_artifact(json::Writer& w, const registry::ArtifactRow& row,
                    std::string_view repository_name, bool with_tags);
void write_tag(json::Writer& w, const registry::TagRow& tag, ArtifactId artifact,
               RepositoryId repository);
const Schema& artifact_schema();
const Schema& tag_schema();

}  // namespace roadstead::api::internal
