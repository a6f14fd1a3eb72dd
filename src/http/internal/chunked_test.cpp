#include "http/internal/chunked.h"

#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace roadstead::http {
namespace {

struct Decoded {
  std::string body;
  std::size_t consumed = 0;
  bool finished = false;
  bool failed = false;
};

/// Feeds `text` in pieces of `step` bytes, decoding in place.
Decoded decode(std::string text, std::size_t step) {
  ChunkedDecoder decoder;
  Decoded decoded;
  for (std::size_t at = 0; at < text.size() && !decoder.finished() && !decoder.failed();) {
    const std::size_t size = std::min(step, text.size() - at);
    const auto progress = decoder.decode({text.data() + at, size}, text.data() + at);
    decoded.body.append(text.data() + at, progress.produced);
    decoded.consumed += progress.consumed;
    at += progress.consumed;
  }
  decoded.finished = decoder.finished();
  decoded.failed = decoder.failed();
  return decoded;
}

TEST(ChunkedDecoder, DecodesInPiecesOfAnySize) {
  const std::string text =
      "5\r\nhello\r\n0A;name=\"v\"\r\n, world 12\r\n1\r\n\n\r\n0\r\nX-Trailer: y\r\n\r\n";
  for (std::size_t step = 1; step <= text.size() + 5; ++step) {
    const Decoded decoded = decode(text + "GET /", step);
    ASSERT_TRUE(decoded.finished) << step;
    ASSERT_EQ(decoded.body, "hello, world 12\n") << step;
    ASSERT_EQ(decoded.consumed, text.size()) << step;
  }
}

TEST(ChunkedDecoder, AnEmptyBodyIsOneChunk) {
  EXPECT_TRUE(decode("0\r\n\r\n", 100).finished);
  EXPECT_TRUE(decode("000\r\n\r\n", 100).finished);
}

TEST(ChunkedDecoder, WaitsForTheEnd) {
  const std::string text = "3\r\nabc\r\n0\r\n\r\n";
  for (std::size_t size = 0; size < text.size(); ++size) {
    const Decoded decoded = decode(text.substr(0, size), 100);
    EXPECT_FALSE(decoded.finished) << size;
    EXPECT_FALSE(decoded.failed) << size;
  }
}

TEST(ChunkedDecoder, RefusesWhatOthersMightReadDifferently) {
  const std::vector<std::string> bad{
      "\r\n",
      "g\r\n",
      "0x3\r\nabc\r\n",
      "-1\r\n",
      "+3\r\n",
      " 3\r\n",
      "3 \r\nabc\r\n",
      "3\nabc\r\n",
      "3\r\nabc\n0\r\n\r\n",
      "3\r\nabcd\r\n",
      "3\r\nab\r\n0\r\n\r\n",
      "3\rabc\r\n",
      "3;a\nb\r\nabc\r\n",
      "3;\x01\r\nabc\r\n",
      "1000000000000000\r\n",
      "ffffffffffffffffff\r\n",
      "0\r\n\n",
      "0\r\n\rX",
      "0\r\nX: y\n\r\n",
      "0\r\n folded\r\n\r\n",
      "1;" + std::string(20'000, 'a') + "\r\na\r\n0\r\n\r\n",
      "0\r\n" + std::string(20'000, 'a'),
  };
  for (const std::string& text : bad) {
    EXPECT_TRUE(decode(text, 1).failed) << text.substr(0, 40);
    EXPECT_TRUE(decode(text, 1000).failed) << text.substr(0, 40);
  }
}

}  // namespace
}  // namespace roadstead::http
