#pragma once

#include <filesystem>
#include <string>
#include <string_view>

namespace roadstead::sys {

/// A path as system calls take it: a view of zero-terminated text, for parameters. Making a
/// std::filesystem::path of a string takes it apart into components and costs more than opening the
/// file, so hot paths stay strings.
class PathView {
 public:
  PathView(const std::filesystem::path& path)
      : text_(path.native()) {}                       // NOLINT(google-explicit-constructor)
  PathView(const std::string& path) : text_(path) {}  // NOLINT(google-explicit-constructor)
  PathView(const char* path) : text_(path) {}         // NOLINT(google-explicit-constructor)

  [[nodiscard]] const char* c_str() const { return text_.data(); }
  [[nodiscard]] bool empty() const { return text_.empty(); }
  [[nodiscard]] std::string string() const { return std::string(text_); }
  [[nodiscard]] std::filesystem::path path() const { return {text_}; }

 private:
  std::string_view text_;
};

}  // namespace roadstead::sys
