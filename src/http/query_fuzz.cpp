// Query strings and percent-encoding.
#include <cstdint>
#include <string_view>

#include "base/check.h"
#include "http/uri.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using roadstead::http::percent_decode;
  using roadstead::http::percent_encode;
  using roadstead::http::Query;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto decoded = percent_decode(text);
  if (decoded) {
    CHECK(decoded->size() <= text.size());
    CHECK(percent_decode(percent_encode(*decoded)) == decoded ||
          decoded->find('\0') != std::string::npos);
  }
  if (const auto query = Query::parse(text)) {
    CHECK(query->items().size() <= 200);
    for (const auto& [name, value] : query->items()) {
      CHECK(query->has(name));
      const auto again = Query::parse(percent_encode(name) + "=" + percent_encode(value));
      CHECK(value.find('\0') != std::string::npos || name.find('\0') != std::string::npos ||
            (again && again->items().size() == 1 && again->items()[0].second == value));
    }
  }
  return 0;
}
