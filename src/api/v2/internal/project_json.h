#pragma once

#include "api/operation/schema.h"
#include "json/json.h"
#include "project/project.h"

namespace roadstead::api::internal {

/// How the REST API shows a project. Without detail there is neither owner name nor metadata.
void write_project(json::Writer& w, const project::Project& project, bool detail);
const Schema& project_schema();

/// The body of POST and PUT.
const Schema& project_request_schema();

}  // namespace roadstead::api::internal
