#include "app/data_directory.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "backup/restore.h"
#include "base/text.h"
#include "sys/process.h"

namespace roadstead::app {
namespace {

constexpr std::size_t kKeyBytes = 32;
constexpr std::string_view kStopped = "stopped";

Result<void> make_secret(const std::filesystem::path& file) {
  if (TRY(sys::exists(file))) {
    return {};
  }
  std::array<std::byte, kKeyBytes> key{};
  sys::random_bytes(key);
  return sys::replace_file(file, to_hex(key) + "\n");
}

Result<std::string> read_secret(const std::filesystem::path& file) {
  const std::string text = TRY(sys::read_file(file, 4096));
  std::string_view digits = text;
  while (digits.ends_with('\n')) {
    digits.remove_suffix(1);
  }
  const auto key = from_hex(digits);
  if (!key || key->size() != kKeyBytes) {
    return Error{Code::kInvalid,
                 Subject::kConfiguration,
                 fmt::format("{}: expected 64 hexadecimal digits; restore this file from a backup",
                             file.string()),
                 {}};
  }
  return std::string(text_of(*key));
}

}  // namespace

Result<DataDirectory> DataDirectory::open(const std::filesystem::path& path,
                                          const std::filesystem::path& secret_key_file) {
  TRY(sys::make_directories(path));
  if (TRY(sys::exists(path / backup::kUnfinished))) {
    return Error{Code::kPrecondition,
                 Subject::kConfiguration,
                 fmt::format("a restore into {} is running or did not finish: empty the directory "
                             "and restore again",
                             path.string()),
                 {}};
  }
  auto lock = sys::FileLock::acquire(path / "lock");
  if (!lock) {
    if (lock.error().code == Code::kConflict) {
      return Error{Code::kConflict,
                   Subject::kConfiguration,
                   fmt::format("{} is in use by another roadstead process", path.string()),
                   {}};
    }
    return lock.error();
  }
  if (secret_key_file.empty()) {
    TRY(make_secret(secret_file(path)));
  }
  std::string secret =
      TRY(read_secret(secret_key_file.empty() ? secret_file(path) : secret_key_file));
  return DataDirectory(path, std::move(*lock), std::move(secret));
}

Result<bool> DataDirectory::take_stopped_mark() const {
  const bool stopped = TRY(sys::exists(path_ / kStopped));
  if (stopped) {
    TRY(sys::remove(path_ / kStopped));
    TRY(sys::sync_directory(path_));
  }
  return stopped;
}

Result<void> DataDirectory::mark_stopped() const {
  return sys::replace_file(path_ / kStopped, "");
}

std::string generate_password() {
  for (;;) {
    std::array<std::byte, 15> random{};
    sys::random_bytes(random);
    std::string password = to_base64url(random);
    const bool complete = std::any_of(password.begin(), password.end(), is_upper) &&
                          std::any_of(password.begin(), password.end(), is_lower) &&
                          std::any_of(password.begin(), password.end(), is_digit);
    // A leading '-' would be taken for an option on many a command line.
    if (complete && password.front() != '-') {
      return password;
    }
  }
}

}  // namespace roadstead::app
