#include "sys/testing/scratch_directory.h"

#include <string>
#include <system_error>

#include <stdlib.h>

#include "base/check.h"

namespace roadstead::sys::testing {

ScratchDirectory::ScratchDirectory() {
  std::string name = std::filesystem::temp_directory_path() / "roadstead-test-XXXXXX";
  CHECK(::mkdtemp(name.data()) != nullptr);
  path_ = name;
}

ScratchDirectory::~ScratchDirectory() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

}  // namespace roadstead::sys::testing
