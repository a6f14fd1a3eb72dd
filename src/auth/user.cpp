#include "auth/user.h"

#include <algorithm>

#include "base/text.h"

namespace roadstead::auth {
namespace {

constexpr std::size_t kNameMax = 255;
constexpr std::size_t kCommentMax = 30;
constexpr std::size_t kPasswordMin = 8;
constexpr std::size_t kPasswordMax = 128;

Error refuse(std::string_view message) {
  return {Code::kInvalid, Subject::kUser, std::string(message), {}};
}

bool has_any_of(std::string_view text, std::string_view characters) {
  return text.find_first_of(characters) != std::string_view::npos;
}

/// Characters of UTF-8 text: bytes that do not continue one.
std::size_t length_of(std::string_view text) {
  return static_cast<std::size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xC0) != 0x80; }));
}

bool is_letter(char c) {
  return is_lower(to_lower(c));
}

/// "word(.word)*" or anything in double quotes.
bool is_local_part(std::string_view local) {
  if (local.size() > 2 && local.front() == '"' && local.back() == '"') {
    return true;
  }
  const auto words = split(local, '.');
  return std::none_of(words.begin(), words.end(), [](std::string_view word) {
    return word.empty() || has_any_of(word, "<>()[]\\,;:@\" \t\r\n\f\v");
  });
}

/// "[1.2.3.4]".
bool is_address_literal(std::string_view domain) {
  if (domain.size() < 9 || domain.front() != '[' || domain.back() != ']') {
    return false;
  }
  const auto numbers = split(domain.substr(1, domain.size() - 2), '.');
  return numbers.size() == 4 && std::all_of(numbers.begin(), numbers.end(), [](auto number) {
           return !number.empty() && number.size() <= 3 &&
                  std::all_of(number.begin(), number.end(), is_digit);
         });
}

/// "label(.label)*.xx" with a last label of two letters or more.
bool is_domain(std::string_view domain) {
  const auto labels = split(domain, '.');
  const std::string_view last = labels.back();
  return labels.size() >= 2 && last.size() >= 2 &&
         std::all_of(last.begin(), last.end(), is_letter) &&
         std::all_of(labels.begin(), labels.end(), [](std::string_view label) {
           return !label.empty() && std::all_of(label.begin(), label.end(), [](char c) {
             return is_letter(c) || is_digit(c) || c == '-';
           });
         });
}

bool is_email(std::string_view email) {
  const std::size_t at = email.rfind('@');
  if (at == std::string_view::npos || at == 0) {
    return false;
  }
  const std::string_view domain = email.substr(at + 1);
  return is_local_part(email.substr(0, at)) && (is_domain(domain) || is_address_literal(domain));
}

bool has_control_character(std::string_view text) {
  return std::any_of(text.begin(), text.end(),
                     [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7F; });
}

}  // namespace

Result<void> check_user_name(std::string_view name) {
  if (name.empty() || name.size() > kNameMax) {
    return refuse("username with illegal length");
  }
  // A colon could never log in: it ends the name in Basic credentials.
  if (has_any_of(name, ",\"~#%$:") || has_control_character(name)) {
    return refuse("username contains illegal characters");
  }
  return {};
}

Result<void> check_profile(const Profile& profile) {
  if (profile.email.empty()) {
    return refuse("email can't be empty");
  }
  if (profile.email.size() > kNameMax || !is_email(profile.email)) {
    return refuse("email with illegal format");
  }
  if (profile.realname.empty() || profile.realname.size() > kNameMax) {
    return refuse("realname with illegal length");
  }
  if (has_any_of(profile.realname, ",\"~#%$") || has_control_character(profile.realname)) {
    return refuse("realname contains illegal characters");
  }
  if (length_of(profile.comment) > kCommentMax) {
    return refuse("comment with illegal length");
  }
  return {};
}

Result<void> check_password(std::string_view password) {
  const bool good = password.size() >= kPasswordMin && password.size() <= kPasswordMax &&
                    std::any_of(password.begin(), password.end(), is_upper) &&
                    std::any_of(password.begin(), password.end(), is_lower) &&
                    std::any_of(password.begin(), password.end(), is_digit);
  if (!good) {
    return refuse(
        "the password or secret must be 8-128, inclusively, characters long with at least 1 "
        "uppercase letter, 1 lowercase letter and 1 number");
  }
  return {};
}

}  // namespace roadstead::auth
