#pragma once

#include <filesystem>
#include <string>

#include "base/result.h"
#include "sys/file.h"

namespace roadstead::app {

/// The directory of everything that is kept, held by one process at a time:
///   lock                      the exclusive lock, as long as a process works here
///   admin.sock                where a running server takes commands (0600)
///   secret.key                64 hex digits; seals keys and secrets in the database (0600). Back
///   it up with the database initial-admin-password    what the first start generated (0600);
///   delete it once noted run/urls                  where the running server listens, one URL a
///   line roadstead.db*             the database, unless database_url says otherwise storage/
///   blobs, unless storage_url says otherwise
class DataDirectory {
 public:
  /// Creates what is missing and takes the lock. The secret key is read from `secret_key_file`, or
  /// made here when that is empty. Errors: kConflict when another process holds the lock;
  /// kPrecondition when a restore into it did not finish; kInvalid when the file holds no key.
  static Result<DataDirectory> open(const std::filesystem::path& path,
                                    const std::filesystem::path& secret_key_file);

  [[nodiscard]] const std::filesystem::path& path() const { return path_; }
  /// 32 bytes. A secret.
  [[nodiscard]] const std::string& secret_key() const { return secret_key_; }

  static std::filesystem::path secret_file(const std::filesystem::path& path) {
    return path / "secret.key";
  }
  /// Whether the server before stopped in good order; from now on none did, until mark_stopped().
  Result<bool> take_stopped_mark() const;
  Result<void> mark_stopped() const;

  static std::filesystem::path admin_socket(const std::filesystem::path& path) {
    return path / "admin.sock";
  }

 private:
  DataDirectory(std::filesystem::path path, sys::FileLock lock, std::string secret_key)
      : path_(std::move(path)), lock_(std::move(lock)), secret_key_(std::move(secret_key)) {}
  std::filesystem::path path_;
  sys::FileLock lock_;
  std::string secret_key_;
};

/// A random password that satisfies Harbor's rules: 20 characters with upper and lower case and a
/// digit.
std::string generate_password();

}  // namespace roadstead::app
