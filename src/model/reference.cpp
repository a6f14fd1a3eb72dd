#include "model/reference.h"

#include <algorithm>

#include "base/text.h"

namespace roadstead::model {
namespace {

constexpr std::size_t kTagSizeMax = 128;
constexpr std::size_t kNameSizeMax = 255;

bool is_alphanumeric(char c) {
  return is_digit(c) || is_lower(c);
}

bool is_tag_character(char c) {
  return is_alphanumeric(c) || is_upper(c) || c == '_' || c == '.' || c == '-';
}

// Consumes one separator: "." or "_" or "__" or any number of "-". False when there is none.
bool skip_separator(std::string_view& text) {
  const char first = text.front();
  if (first == '-') {
    text.remove_prefix(std::min(text.find_first_not_of('-'), text.size()));
    return true;
  }
  if (first != '.' && first != '_') {
    return false;
  }
  text.remove_prefix(text.starts_with("__") ? 2 : 1);
  return true;
}

std::size_t skip_alphanumerics(std::string_view& text) {
  const auto end = std::find_if_not(text.begin(), text.end(), is_alphanumeric);
  const auto count = static_cast<std::size_t>(end - text.begin());
  text.remove_prefix(count);
  return count;
}

// [a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*
bool is_component(std::string_view text) {
  for (;;) {
    if (skip_alphanumerics(text) == 0) {
      return false;
    }
    if (text.empty()) {
      return true;
    }
    if (!skip_separator(text)) {
      return false;
    }
  }
}

bool are_components(std::string_view path) {
  const auto components = split(path, '/');
  return std::all_of(components.begin(), components.end(), is_component);
}

}  // namespace

Result<Tag> Tag::parse(std::string_view text) {
  const bool good = !text.empty() && text.size() <= kTagSizeMax && text.front() != '.' &&
                    text.front() != '-' && std::all_of(text.begin(), text.end(), is_tag_character);
  if (!good) {
    return Error{Code::kInvalid, Subject::kTag,
                 "a tag has 1 to 128 letters, digits, '_', '.' and '-' and does not begin with '.' "
                 "or '-'",
                 std::string(text.substr(0, kTagSizeMax))};
  }
  return Tag(std::string(text));
}

Result<Reference> parse_reference(std::string_view text) {
  if (text.find(':') != std::string_view::npos) {
    return Reference(TRY(Digest::parse(text)));
  }
  return Reference(TRY(Tag::parse(text)));
}

std::string to_string(const Reference& reference) {
  return std::visit([](const auto& value) { return value.to_string(); }, reference);
}

Result<RepositoryName> RepositoryName::parse(std::string_view text) {
  const auto refuse = [&](std::string message) {
    return Error{Code::kInvalid, Subject::kName, std::move(message),
                 std::string(text.substr(0, kNameSizeMax))};
  };
  if (text.size() > kNameSizeMax) {
    return refuse("a repository name has at most 255 characters");
  }
  if (!are_components(text)) {
    return refuse(
        "a repository name consists of lower-case letters and digits, separated by '.', '_', '__' "
        "or '-', in parts joined by '/'");
  }
  const std::size_t slash = text.find('/');
  if (slash == std::string_view::npos) {
    return refuse("a repository name begins with its project: project/repository");
  }
  return RepositoryName(std::string(text), slash);
}

bool is_project_name(std::string_view text) {
  return text.size() <= kNameSizeMax && is_component(text);
}

}  // namespace roadstead::model
