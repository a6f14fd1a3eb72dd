#pragma once

#include <span>
#include <string>
#include <string_view>

namespace roadstead::api {

/// The value of WWW-Authenticate that clients of Harbor know.

/// One scope that the refused request needed: {"reg/app", "pull,push"}.
struct WantedScope {
  std::string_view repository;
  std::string_view actions;
};

/// "https://registry.example.com": where clients reach this server. The configured external URL
/// wins over what the request says of itself.
std::string origin_of(std::string_view external_url, std::string_view scheme,
                      std::string_view host);

/// Bearer realm="<origin>/service/token",service="harbor-registry",scope="repository:reg/app:pull"
/// or, when the client had sent credentials that were not enough, Basic realm="harbor": a client
/// that is told Bearer again would only fetch the same token again. Characters that no scope holds
/// are left out, so the value is always a legal header.
std::string challenge(std::string_view origin, std::span<const WantedScope> scopes,
                      bool had_authorization);

/// The same for one repository; an empty `repository` asks for a token without scope (GET /v2/).
std::string challenge(std::string_view scheme, std::string_view host, std::string_view repository,
                      std::string_view actions, bool had_authorization);

/// Basic realm="harbor": for the catalog, whose scope no ordinary token holds.
std::string basic_challenge();

}  // namespace roadstead::api
