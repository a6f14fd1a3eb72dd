#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "model/digest.h"

namespace roadstead::backup::internal {

/// What a backup directory holds (0700, files 0600):
///
///   backup.json                    names the copy that counts; replaced last, atomically
///   databases/<time>.db            a copy of the database
///   databases/<time>.blobs         what it needs: "<digest> <size> <location>" a line, by digest
///   content/<alg>/<2 hex>/<hex>    content, shared by all copies of the database
///   secret.key                     what seals keys and secrets in the database
///   token-signing-key.pem          where the configuration names one
class Layout {
 public:
  explicit Layout(std::filesystem::path root) : root_(std::move(root)) {}

  [[nodiscard]] const std::filesystem::path& root() const { return root_; }
  [[nodiscard]] std::filesystem::path summary() const { return root_ / "backup.json"; }
  [[nodiscard]] std::filesystem::path databases() const { return root_ / "databases"; }
  [[nodiscard]] std::filesystem::path database(std::string_view stamp) const;
  [[nodiscard]] std::filesystem::path blobs(std::string_view stamp) const;
  [[nodiscard]] std::filesystem::path content() const { return root_ / "content"; }
  /// content/<alg>/<2 hex>
  [[nodiscard]] std::filesystem::path prefix(const model::Digest& digest) const;
  [[nodiscard]] std::filesystem::path content(const model::Digest& digest) const;

 private:
  std::filesystem::path root_;
};

/// Names of copies sort by their time: "20261126T101500.123456Z".
std::string stamp_of(Time time);
/// All copies of the database, oldest first. Other files are none of ours.
Result<std::vector<std::string>> list_stamps(const Layout& layout);

/// backup.json
struct Summary {
  std::string stamp;
  std::string version;  ///< Of the program that wrote it.
  std::string created_at;
  bool content = true;  ///< False: content stays where it was, only the database was copied.
  std::int64_t blobs = 0;
  std::int64_t bytes = 0;
};
/// Errors: kNotFound + kStorage when the directory holds no backup; kUnsupported when its form is
/// newer than this program.
Result<Summary> read_summary(const Layout& layout);
Result<void> write_summary(const Layout& layout, const Summary& summary);

/// The names of secrets in a backup and in a data directory.
inline constexpr std::string_view kSecretKey = "secret.key";
inline constexpr std::string_view kTokenSigningKey = "token-signing-key.pem";
/// No secret of ours is larger.
inline constexpr std::size_t kSecretMax = std::size_t{64} << 10U;

}  // namespace roadstead::backup::internal
