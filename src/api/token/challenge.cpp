#include "api/token/challenge.h"

#include <algorithm>
#include <iterator>

#include "base/text.h"

namespace roadstead::api {
namespace {

bool is_scope_character(char c) {
  return is_digit(c) || is_lower(to_lower(c)) ||
         std::string_view("/_.:,-*").find(c) != std::string_view::npos;
}

bool is_host_character(char c) {
  return is_digit(c) || is_lower(to_lower(c)) ||
         std::string_view("-._:[]").find(c) != std::string_view::npos;
}

void append_scope_text(std::string& out, std::string_view text) {
  std::copy_if(text.begin(), text.end(), std::back_inserter(out), is_scope_character);
}

}  // namespace

std::string origin_of(std::string_view external_url, std::string_view scheme,
                      std::string_view host) {
  if (!external_url.empty()) {
    while (external_url.ends_with('/')) {
      external_url.remove_suffix(1);
    }
    return std::string(external_url);
  }
  std::string origin(scheme == "https" ? "https://" : "http://");
  std::copy_if(host.begin(), host.end(), std::back_inserter(origin), is_host_character);
  return origin;
}

std::string basic_challenge() {
  return "Basic realm=\"harbor\"";
}

std::string challenge(std::string_view origin, std::span<const WantedScope> scopes,
                      bool had_authorization) {
  if (had_authorization) {
    return basic_challenge();
  }
  std::string value = "Bearer realm=\"";
  value.append(origin).append("/service/token\",service=\"harbor-registry\"");
  for (std::size_t i = 0; i < scopes.size(); ++i) {
    value += i == 0 ? ",scope=\"repository:" : " repository:";
    append_scope_text(value, scopes[i].repository);
    value += ':';
    append_scope_text(value, scopes[i].actions);
  }
  if (!scopes.empty()) {
    value += '"';
  }
  return value;
}

std::string challenge(std::string_view scheme, std::string_view host, std::string_view repository,
                      std::string_view actions, bool had_authorization) {
  const std::string origin = origin_of({}, scheme, host);
  const WantedScope scope{repository, actions};
  const std::span<const WantedScope> scopes(&scope, repository.empty() ? 0 : 1);
  return challenge(origin, scopes, had_authorization);
}

}  // namespace roadstead::api
