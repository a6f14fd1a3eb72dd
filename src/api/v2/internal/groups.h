#pragma once

#include <vector>

#include "api/v2/operations.h"

/// The operations by what they are about; each function adds its own.
namespace roadstead::api::internal {

void add_system_operations(std::vector<Operation>& operations, const V2Parts& parts);
void add_gc_operations(std::vector<Operation>& operations, const V2Parts& parts);
void add_user_operations(std::vector<Operation>& operations, const V2Parts& parts);
void add_permission_operations(std::vector<Operation>& operations, const V2Parts& parts);
void add_project_operations(std::vector<Operation>& operations, const V2Parts& parts);
void add_metadata_operations(std::vector<Operation>& operations, const V2Parts& parts);
void add_member_operations(std::vector<Operation>& operations, const V2Parts& parts);
void add_repository_operations(std::vector<Operation>& operations, const V2Parts& parts);
void add_artifact_operations(std::vector<Operation>& operations, const V2Parts& parts);
void add_undo_operations(std::vector<Operation>& operations, const V2Parts& parts);

}  // namespace roadstead::api::internal
