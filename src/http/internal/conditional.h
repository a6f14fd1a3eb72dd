#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "http/message.h"

namespace roadstead::http {

/// What part of a representation a request asks for (RFC 9110 sections 13 and 14).
struct Selection {
  enum class Kind { kWhole, kNotModified, kPartial, kUnsatisfiable };
  Kind kind = Kind::kWhole;
  std::uint64_t offset = 0;
  std::uint64_t length = 0;
};

/// Applies If-None-Match, If-Range and Range to a 200 answer that allows it; anything else is
/// kWhole.
Selection select(const Request& request, const Response& response);

/// Weak comparison against a list of entity tags, or "*".
bool lists_etag(std::string_view list, std::string_view etag);

/// A Range value against a representation of `size` bytes. Unknown units, bad syntax and several
/// ranges select the whole.
Selection select_range(std::string_view value, std::uint64_t size);

}  // namespace roadstead::http
