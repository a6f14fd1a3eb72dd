#include "sys/internal/system_call.h"

#include <string>

namespace roadstead::sys::internal {

Error failed(std::string_view what, PathView path) {
  const int error_number = errno;
  const std::string subject = std::string(what) + " " + path.string();
  if (error_number == ENOENT) {
    return Error{Code::kNotFound, Subject::kStorage, subject + ": no such file", {}};
  }
  if (error_number == EEXIST) {
    return Error{Code::kConflict, Subject::kStorage, subject + ": exists", {}};
  }
  return system_error(error_number, subject);
}

}  // namespace roadstead::sys::internal
