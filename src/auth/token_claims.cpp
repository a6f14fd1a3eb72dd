#include "auth/internal/token_claims.h"

#include <algorithm>
#include <array>
#include <limits>

#include "base/text.h"
#include "json/json.h"
#include "sys/process.h"

namespace roadstead::auth::internal {
namespace {

constexpr std::size_t kRandomBytes = 16;

std::string random_hex() {
  std::array<std::byte, kRandomBytes> bytes{};
  sys::random_bytes(bytes);
  return to_hex(bytes);
}

std::int64_t to_seconds(Time time) {
  return std::chrono::floor<std::chrono::seconds>(time).time_since_epoch().count();
}

std::string make_jti(UserId user, std::span<const Access> access) {
  std::string jti = std::to_string(user.value) + '.';
  for (const Access& entry : access) {
    if (!jti.ends_with('.')) {
      jti += '-';
    }
    jti += std::to_string(entry.project.value_or(ProjectId{0}).value);
  }
  return jti + '.' + random_hex();
}

/// What a token is bound to.
struct Binding {
  UserId user;
  std::vector<std::int64_t> projects;
};

Error malformed() {
  return {Code::kUnauthenticated, Subject::kToken, "the token's claims are not ours", {}};
}

Result<Binding> parse_jti(std::string_view jti) {
  const auto pieces = split(jti, '.');
  if (pieces.size() != 3) {
    return malformed();
  }
  const auto user = parse_int64(pieces[0]);
  if (!user) {
    return malformed();
  }
  Binding binding{.user = UserId{*user}, .projects = {}};
  if (pieces[1].empty()) {
    return binding;
  }
  for (const std::string_view piece : split(pieces[1], '-')) {
    const auto project = parse_int64(piece);
    if (!project) {
      return malformed();
    }
    binding.projects.push_back(*project);
  }
  return binding;
}

Result<Time> time_claim(const json::Value& root, std::string_view name) {
  constexpr std::int64_t kLatest = std::numeric_limits<std::int64_t>::max() / 4'000'000;
  const auto seconds = root[name].as_int();
  if (!seconds || *seconds < 0 || *seconds > kLatest) {
    return malformed();
  }
  return from_micros(*seconds * 1'000'000);
}

Result<std::vector<std::string>> audience_claim(const json::Value& root) {
  std::vector<std::string> names;
  const json::Value audience = root["aud"];
  if (const auto name = audience.as_string()) {
    names.emplace_back(*name);
    return names;
  }
  if (!audience.is_array()) {
    return malformed();
  }
  for (std::size_t i = 0; i < audience.size(); ++i) {
    const auto name = audience.at(i).as_string();
    if (!name) {
      return malformed();
    }
    names.emplace_back(*name);
  }
  return names;
}

bool holds(const json::Value& actions, std::string_view wanted) {
  for (std::size_t i = 0; i < actions.size(); ++i) {
    if (actions.at(i).as_string() == wanted) {
      return true;
    }
  }
  return false;
}

Result<void> read_access(const json::Value& access, const Binding& binding, Principal& principal) {
  principal.scopes.emplace();
  if (!access.present() || access.is_null()) {
    return {};
  }
  if (!access.is_array() || access.size() != binding.projects.size()) {
    return malformed();
  }
  for (std::size_t i = 0; i < access.size(); ++i) {
    const json::Value entry = access.at(i);
    const auto type = entry["type"].as_string();
    const auto name = entry["name"].as_string();
    const json::Value actions = entry["actions"];
    if (!type || !name || !actions.is_array()) {
      return malformed();
    }
    if (*type == "registry" && *name == "catalog") {
      principal.catalog = principal.catalog || holds(actions, "*");
    }
    if (*type == "repository" && binding.projects[i] != 0) {
      principal.scopes->push_back({.repository = std::string(*name),
                                   .pull = holds(actions, "pull"),
                                   .push = holds(actions, "push"),
                                   .remove = holds(actions, "delete"),
                                   .project = ProjectId{binding.projects[i]}});
    }
  }
  return {};
}

void write_access(json::Writer& w, std::span<const Access> access) {
  w.key("access");
  if (access.empty()) {
    w.null();
    return;
  }
  w.begin_array();
  for (const Access& entry : access) {
    w.begin_object();
    w.member("type", entry.scope.type);
    w.member("name", entry.scope.name);
    w.key("actions");
    w.begin_array();
    for (const std::string_view action : entry.actions) {
      w.value(action);
    }
    w.end_array();
    w.end_object();
  }
  w.end_array();
}

}  // namespace

bool Claims::for_audience(std::string_view name) const {
  return std::find(audience.begin(), audience.end(), name) != audience.end();
}

std::string write_claims(const Principal& caller, std::span<const Access> access, Time now,
                         std::chrono::seconds lifetime) {
  json::Writer w;
  w.begin_object();
  w.member("iss", TokenService::kIssuer);
  if (caller.kind == Principal::Kind::kUser) {
    w.member("sub", caller.name);
  }
  w.member("aud", TokenService::kAudience);
  w.member("exp", to_seconds(now + lifetime));
  w.member("nbf", to_seconds(now));
  w.member("iat", to_seconds(now));
  w.member("jti", make_jti(caller.user, access));
  write_access(w, access);
  w.end_object();
  return w.take();
}

Result<Claims> read_claims(std::string_view payload) {
  const auto document = json::Document::parse(payload);
  if (!document || !document->root().is_object()) {
    return malformed();
  }
  const json::Value root = document->root();
  const auto issuer = root["iss"].as_string();
  const auto jti = root["jti"].as_string();
  if (!issuer || !jti) {
    return malformed();
  }
  const Binding binding = TRY(parse_jti(*jti));
  Claims claims;
  claims.issuer = *issuer;
  claims.audience = TRY(audience_claim(root));
  claims.expires_at = TRY(time_claim(root, "exp"));
  claims.not_before = TRY(time_claim(root, "nbf"));
  Principal& principal = claims.principal;
  principal.token_issued_at = TRY(time_claim(root, "iat"));
  if (binding.user.value != 0) {
    principal.kind = Principal::Kind::kUser;
    principal.user = binding.user;
    principal.name = root["sub"].as_string().value_or(std::string_view{});
  }
  TRY(read_access(root["access"], binding, principal));
  return claims;
}

}  // namespace roadstead::auth::internal
