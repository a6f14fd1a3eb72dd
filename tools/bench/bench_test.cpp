#include <algorithm>

#include <gtest/gtest.h>

#include "content.h"
#include "response.h"
#include "transport.h"

namespace roadstead::bench {
namespace {

/// Feeds `wire` in pieces of `step` bytes.
bool feed_in_steps(ResponseReader& reader, std::string_view wire, size_t step) {
  for (; !wire.empty(); wire.remove_prefix(std::min(step, wire.size()))) {
    if (!reader.feed(wire.substr(0, step))) {
      return false;
    }
  }
  return true;
}

TEST(ResponseReader, ReadsAnAnswerHoweverItIsCut) {
  const std::string wire =
      "HTTP/1.1 100 Continue\r\n\r\n"
      "HTTP/1.1 202 Accepted\r\nlocation:  /v2/a \r\nContent-Length: 5\r\n"
      "Docker-Content-Digest: sha256:ab\r\n\r\nhello";
  for (size_t step = 1; step <= wire.size(); ++step) {
    ResponseReader reader;
    reader.expect(false, Keep::kBody, nullptr);
    ASSERT_TRUE(feed_in_steps(reader, wire, step)) << reader.error();
    ASSERT_TRUE(reader.complete()) << step;
    EXPECT_EQ(reader.response().status, 202);
    EXPECT_EQ(reader.response().location, "/v2/a");
    EXPECT_EQ(reader.response().content_digest, "sha256:ab");
    EXPECT_EQ(reader.response().body, "hello");
  }
}

TEST(ResponseReader, ReadsChunksHoweverTheyAreCut) {
  const std::string wire =
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
      "3\r\nabc\r\nA;x=y\r\n0123456789\r\n0\r\nTrailer: t\r\n\r\n";
  for (size_t step = 1; step <= wire.size(); ++step) {
    ResponseReader reader;
    reader.expect(false, Keep::kBody, nullptr);
    ASSERT_TRUE(feed_in_steps(reader, wire, step)) << reader.error();
    ASSERT_TRUE(reader.complete()) << step;
    EXPECT_EQ(reader.response().body, "abc0123456789");
  }
}

TEST(ResponseReader, AHeadAnswerHasNoBody) {
  ResponseReader reader;
  reader.expect(true, Keep::kNothing, nullptr);
  ASSERT_TRUE(reader.feed("HTTP/1.1 200 OK\r\nContent-Length: 700\r\n\r\n"));
  EXPECT_TRUE(reader.complete());
}

TEST(ResponseReader, NoticesACutBodyAndBytesTooMany) {
  ResponseReader reader;
  reader.expect(false, Keep::kNothing, nullptr);
  ASSERT_TRUE(reader.feed("HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\nabc"));
  EXPECT_FALSE(reader.end());
  reader.expect(false, Keep::kNothing, nullptr);
  EXPECT_FALSE(reader.feed("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nabc"));
  reader.expect(false, Keep::kNothing, nullptr);
  EXPECT_FALSE(reader.feed("SSH-2.0-OpenSSH_9.2\r\n\r\n"));
}

TEST(SharedBlock, DigestIsThatOfTheWholeBody) {
  for (const uint64_t size : {uint64_t{10}, uint64_t{64}, uint64_t{1000}, uint64_t{17} << 20U}) {
    const std::string tail(std::min<uint64_t>(size, 64), 't');
    const SharedBlock block(size, 64);
    const Body body{&block, tail, 0, size};
    DigestOfStream digest;
    uint64_t sent = 0;
    for (auto piece = body.piece_at(0); !piece.empty(); piece = body.piece_at(sent)) {
      digest.append(piece);
      sent += piece.size();
    }
    EXPECT_EQ(sent, size);
    EXPECT_EQ(digest.finish(), block.digest_with(tail));
  }
}

TEST(Target, IsLoopbackOnly) {
  Target target;
  std::string why;
  EXPECT_TRUE(parse_target("http://127.0.0.1:5000/", target, why));
  EXPECT_EQ(target.host, "127.0.0.1:5000");
  for (const char* url :
       {"http://10.0.0.1:80", "http://example.org:80", "http://127.0.0.1", "ftp://127.0.0.1:1"}) {
    EXPECT_FALSE(parse_target(url, target, why)) << url;
  }
}

TEST(Target, SourceIsLoopbackOnly) {
  Target target;
  EXPECT_TRUE(parse_source("127.0.0.2", target));
  for (const char* address : {"10.0.0.1", "0.0.0.0", "localhost", ""}) {
    EXPECT_FALSE(parse_source(address, target)) << address;
  }
}

TEST(ResponseReader, NoticesRetryAfter) {
  ResponseReader reader;
  reader.expect(false, Keep::kNothing, nullptr);
  ASSERT_TRUE(
      reader.feed("HTTP/1.1 503 Service Unavailable\r\nretry-after: 1\r\nContent-Length: "
                  "0\r\n\r\n"));
  EXPECT_TRUE(reader.complete());
  EXPECT_TRUE(reader.response().retry_after);
  reader.expect(false, Keep::kNothing, nullptr);
  ASSERT_TRUE(reader.feed("HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n"));
  EXPECT_FALSE(reader.response().retry_after);
}

}  // namespace
}  // namespace roadstead::bench
