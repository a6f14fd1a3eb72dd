// Head parser and chunked decoder: no input may break them, and how the bytes are cut into reads
// must not change the result.
#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/check.h"
#include "http/internal/chunked.h"
#include "http/internal/conditional.h"
#include "http/internal/parser.h"

namespace roadstead::http {
namespace {

bool inside(std::string_view whole, std::string_view part) {
  return part.empty() || part == "/" ||
         (part.data() >= whole.data() && part.data() + part.size() <= whole.data() + whole.size());
}

void check_head(std::string_view text, std::size_t cut) {
  const HeadLimits limits{4096, 16};
  HeadParser whole;
  HeadParser pieces;
  Head head;
  Head again;
  std::vector<HeaderField> fields;
  std::vector<HeaderField> fields_again;
  const auto state = whole.feed(text, limits, head, fields);
  auto split = pieces.feed(text.substr(0, cut), limits, again, fields_again);
  if (split == HeadParser::State::kIncomplete) {
    split = pieces.feed(text, limits, again, fields_again);
  }
  CHECK(split == state);
  if (state != HeadParser::State::kComplete) {
    CHECK(state != HeadParser::State::kRefused || whole.refusal().status >= 400);
    return;
  }
  CHECK(whole.size() == pieces.size() && whole.size() <= text.size());
  CHECK(fields.size() == fields_again.size() && fields.size() <= limits.fields_max);
  CHECK(!(head.chunked && head.content_length));
  CHECK(!head.path.empty() && head.path.front() == '/' && inside(text, head.path));
  for (const HeaderField& field : fields) {
    CHECK(inside(text, field.name) && inside(text, field.value));
    CHECK(field.value.find_first_of(std::string_view("\r\n\0", 3)) == std::string_view::npos);
    const auto selection = select_range(field.value, 1000);
    CHECK(selection.offset + selection.length <= 1000);
    lists_etag(field.value, "\"x\"");
  }
}

std::string decode(std::string text, std::size_t step, ChunkedDecoder& decoder,
                   std::size_t& consumed) {
  std::string body;
  consumed = 0;
  while (consumed < text.size() && !decoder.finished() && !decoder.failed()) {
    const std::size_t size = std::min(step, text.size() - consumed);
    char* const at = text.data() + consumed;
    const auto progress = decoder.decode({at, size}, at);
    CHECK(progress.produced <= progress.consumed && progress.consumed <= size);
    body.append(at, progress.produced);
    consumed += progress.consumed;
  }
  return body;
}

void check_chunked(std::string_view text, std::size_t step) {
  ChunkedDecoder whole;
  ChunkedDecoder pieces;
  std::size_t consumed = 0;
  std::size_t consumed_again = 0;
  const std::string body = decode(std::string(text), text.size(), whole, consumed);
  const std::string again = decode(std::string(text), step, pieces, consumed_again);
  CHECK(whole.finished() == pieces.finished() && whole.failed() == pieces.failed());
  CHECK(body == again && consumed == consumed_again);
}

}  // namespace
}  // namespace roadstead::http

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) {
    return 0;
  }
  const std::string text(reinterpret_cast<const char*>(data) + 1, size - 1);
  const std::size_t cut = data[0] % text.size();
  roadstead::http::check_head(text, cut);
  const std::size_t body = text.find("\r\n\r\n");
  roadstead::http::check_chunked(
      body == std::string::npos ? std::string_view(text) : std::string_view(text).substr(body + 4),
      1 + data[0] % 7U);
  return 0;
}
