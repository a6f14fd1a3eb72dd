#include "sys/faults.h"

#include <utility>

#include "base/check.h"

namespace roadstead::sys {

// The one process-wide mutable object of sys/: a system call has no owner to hang a hook on.
std::atomic<const ScopedFaults::Decide*> detail::installed_faults = nullptr;

ScopedFaults::ScopedFaults(Decide decide) : decide_(std::move(decide)) {
  CHECK(decide_ != nullptr);
  CHECK(detail::installed_faults.exchange(&decide_) == nullptr);
}

ScopedFaults::~ScopedFaults() {
  detail::installed_faults.store(nullptr);
}

FailNth::FailNth(std::size_t n, int error_number)
    : n_(n),
      error_number_(error_number),
      faults_([this](std::string_view, const std::filesystem::path&) { return decide(); }) {}

int FailNth::decide() {
  if (calls_.fetch_add(1) != n_) {
    return 0;
  }
  fired_ = true;
  return error_number_;
}

}  // namespace roadstead::sys
