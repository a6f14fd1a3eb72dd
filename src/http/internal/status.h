#pragma once

#include <cstdint>
#include <string_view>

#include "http/message.h"

namespace roadstead::http {

/// "HTTP/1.1 200 OK\r\n", from a table made once.
/// Unknown codes get an empty reason.
std::string_view status_line(int status);

[[nodiscard]] constexpr bool status_has_body(int status) {
  return status >= 200 && status != 204 && status != 304;
}

/// Bytes that are really there, whatever set_length_only() said.
std::uint64_t body_length(const Response::Body& body);

}  // namespace roadstead::http
