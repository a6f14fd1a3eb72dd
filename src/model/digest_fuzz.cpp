#include <cstdint>
#include <string_view>

#include "base/check.h"
#include "model/digest.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using roadstead::model::Digest;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto digest = Digest::parse(text);
  if (!digest) {
    CHECK(digest.error().code == roadstead::Code::kInvalid);
    return 0;
  }
  CHECK(digest->to_string() == text);
  CHECK(digest->hex().size() == roadstead::crypto::hex_size(digest->algorithm()));
  CHECK(Digest::from_hex(digest->algorithm(), digest->hex()) == *digest);
  CHECK(text.find_first_not_of("0123456789abcdefsh:") == std::string_view::npos);
  return 0;
}
