#include "api/v2/operations.h"

#include "api/v2/internal/groups.h"

namespace roadstead::api {

std::string api_version(const Installation& installation) {
  return "v2.16.0-roadstead." + installation.version;
}

std::vector<Operation> v2_operations(const V2Parts& parts) {
  std::vector<Operation> operations;
  internal::add_system_operations(operations, parts);
  internal::add_gc_operations(operations, parts);
  internal::add_user_operations(operations, parts);
  internal::add_permission_operations(operations, parts);
  internal::add_project_operations(operations, parts);
  internal::add_metadata_operations(operations, parts);
  internal::add_member_operations(operations, parts);
  internal::add_repository_operations(operations, parts);
  internal::add_artifact_operations(operations, parts);
  internal::add_undo_operations(operations, parts);
  return operations;
}

}  // namespace roadstead::api
