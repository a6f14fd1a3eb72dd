#pragma once

#include <string>
#include <string_view>
#include <variant>

#include "base/result.h"
#include "model/digest.h"

namespace roadstead::model {

/// A tag: [a-zA-Z0-9_][a-zA-Z0-9._-]{0,127} (distribution specification, "Pulling manifests").
class Tag {
 public:
  static Result<Tag> parse(std::string_view text);  ///< Errors: kInvalid + kTag.
  [[nodiscard]] const std::string& to_string() const { return text_; }
  auto operator<=>(const Tag&) const = default;

 private:
  explicit Tag(std::string text) : text_(std::move(text)) {}
  std::string text_;
};

/// What follows /manifests/: a digest when it contains ':', otherwise a tag.
using Reference = std::variant<Tag, Digest>;
Result<Reference> parse_reference(std::string_view text);
std::string to_string(const Reference& reference);

/// "<project>/<path>": [a-z0-9]+((\.|_|__|-+)[a-z0-9]+)* components joined by '/', at most 255
/// characters in all. The first component names the project and there must be at least one more, as
/// in Harbor.
class RepositoryName {
 public:
  /// Errors: kInvalid + kName; `detail` is the offending name.
  static Result<RepositoryName> parse(std::string_view text);
  [[nodiscard]] const std::string& to_string() const { return text_; }
  [[nodiscard]] std::string_view project() const {
    return std::string_view(text_).substr(0, slash_);
  }
  [[nodiscard]] std::string_view path() const { return std::string_view(text_).substr(slash_ + 1); }
  auto operator<=>(const RepositoryName&) const = default;

 private:
  RepositoryName(std::string text, std::size_t slash) : text_(std::move(text)), slash_(slash) {}
  std::string text_;
  std::size_t slash_ = 0;
};

/// Whether `text` may name a project: one such component of 1 to 255 characters.
bool is_project_name(std::string_view text);

}  // namespace roadstead::model
