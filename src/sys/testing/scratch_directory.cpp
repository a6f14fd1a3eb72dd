#include "sys/testing/scratch_directory.h"

#include <unistd.h>

#include <string>
#include <system_error>

#include <stdlib.h>

#include "base/check.h"

namespace roadstead::sys::testing {

namespace {

/// Memory where there is some, because tests count syncs and need none; TMPDIR chooses otherwise.
std::filesystem::path scratch_root() {
  const char* shared_memory = "/dev/shm";
  const bool usable = std::getenv("TMPDIR") == nullptr && ::access(shared_memory, W_OK) == 0;
  return usable ? shared_memory : std::filesystem::temp_directory_path();
}

}  // namespace

ScratchDirectory::ScratchDirectory() {
  std::string name = scratch_root() / "roadstead-test-XXXXXX";
  CHECK(::mkdtemp(name.data()) != nullptr);
  path_ = name;
}

ScratchDirectory::~ScratchDirectory() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

}  // namespace roadstead::sys::testing
