#include <cstdint>
#include <string_view>

#include "base/check.h"
#include "model/reference.h"

namespace {

using namespace std::string_view_literals;

constexpr std::string_view kNameCharacters = "abcdefghijklmnopqrstuvwxyz0123456789._-/";

// What a name must never let through, whatever the grammar says: it becomes part of paths.
void check_harmless(std::string_view text) {
  CHECK(!text.empty() && text.size() <= 255);
  CHECK(text.find("..") == std::string_view::npos && text.find("//") == std::string_view::npos);
  CHECK(text.front() != '/' && text.back() != '/' && text.front() != '.' && text.front() != '-');
  CHECK(text.find_first_not_of(kNameCharacters) == std::string_view::npos);
}

void check_name(std::string_view text) {
  const auto name = roadstead::model::RepositoryName::parse(text);
  if (!name) {
    CHECK(name.error().subject == roadstead::Subject::kName);
    return;
  }
  check_harmless(text);
  CHECK(name->to_string() == text);
  CHECK(std::string(name->project()) + "/" + std::string(name->path()) == text);
  CHECK(roadstead::model::is_project_name(name->project()));
}

void check_reference(std::string_view text) {
  const auto reference = roadstead::model::parse_reference(text);
  if (!reference) {
    return;
  }
  CHECK(to_string(*reference) == text);
  CHECK(text.find_first_of("/\0 %"sv) == std::string_view::npos);
  CHECK(!text.starts_with('.') && text.size() <= 256);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  check_name(text);
  check_reference(text);
  if (roadstead::model::is_project_name(text)) {
    check_harmless(text);
    CHECK(text.find('/') == std::string_view::npos);
  }
  return 0;
}
