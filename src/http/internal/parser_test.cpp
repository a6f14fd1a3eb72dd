#include "http/internal/parser.h"

#include <string>

#include <gtest/gtest.h>

namespace roadstead::http {
namespace {

using State = HeadParser::State;

struct Parsed {
  std::unique_ptr<const std::string> text;  ///< What the views below point into.
  State state = State::kIncomplete;
  Refusal refusal;
  Head head;
  std::vector<HeaderField> fields;
  std::size_t size = 0;
};

Parsed parse(std::string_view text, HeadLimits limits = {}) {
  HeadParser parser;
  Parsed parsed;
  parsed.text = std::make_unique<const std::string>(text);
  parsed.state = parser.feed(*parsed.text, limits, parsed.head, parsed.fields);
  parsed.refusal = parser.refusal();
  parsed.size = parser.size();
  return parsed;
}

std::string with(std::string_view fields) {
  return "GET / HTTP/1.1\r\nHost: a\r\n" + std::string(fields) + "\r\n";
}

TEST(HeadParser, ReadsAPlainRequest) {
  const auto parsed = parse(
      "PUT /v2/a/b?x=1&y=%20 HTTP/1.1\r\nHost: example.com:5000\r\nUser-Agent: crane\r\n"
      "X-Request-ID:  abc \r\nContent-Length: 12\r\n\r\nbody");
  ASSERT_EQ(parsed.state, State::kComplete);
  EXPECT_EQ(parsed.head.method, Method::kPut);
  EXPECT_EQ(parsed.head.target, "/v2/a/b?x=1&y=%20");
  EXPECT_EQ(parsed.head.path, "/v2/a/b");
  EXPECT_EQ(parsed.head.query, "x=1&y=%20");
  EXPECT_EQ(parsed.head.host, "example.com:5000");
  EXPECT_EQ(parsed.head.user_agent, "crane");
  EXPECT_EQ(parsed.head.request_id, "abc");
  EXPECT_EQ(parsed.head.content_length, 12U);
  EXPECT_TRUE(parsed.head.keep_alive);
  EXPECT_FALSE(parsed.head.chunked);
  ASSERT_EQ(parsed.fields.size(), 4U);
  EXPECT_EQ(parsed.fields[2].value, "abc");
}

TEST(HeadParser, TheAbsoluteFormReplacesTheHost) {
  const auto parsed = parse("GET http://b:81/p?q HTTP/1.1\r\nHost: a\r\n\r\n");
  ASSERT_EQ(parsed.state, State::kComplete);
  EXPECT_EQ(parsed.head.host, "b:81");
  EXPECT_EQ(parsed.head.target, "/p?q");
  EXPECT_EQ(parse("GET http://b HTTP/1.1\r\nHost: a\r\n\r\n").head.path, "/");
}

TEST(HeadParser, TellsWhetherTheConnectionStays) {
  EXPECT_TRUE(parse(with("Connection: keep-alive\r\n")).head.keep_alive);
  EXPECT_FALSE(parse(with("Connection: Keep-Alive, CLOSE\r\n")).head.keep_alive);
  EXPECT_FALSE(parse("GET / HTTP/1.0\r\n\r\n").head.keep_alive);
  EXPECT_TRUE(parse(with("Expect: 100-Continue\r\n")).head.expect_continue);
}

TEST(HeadParser, SkipsEmptyLinesBeforeTheRequest) {
  EXPECT_EQ(parse("\r\n\r\n" + with("")).state, State::kComplete);
  EXPECT_EQ(parse("\r\n\r\n\r\n" + with("")).state, State::kRefused);
}

struct Vector {
  const char* what;
  std::string text;
  int status;
};

class Refused : public ::testing::TestWithParam<Vector> {};

TEST_P(Refused, WithTheRightStatus) {
  const auto parsed = parse(GetParam().text);
  ASSERT_EQ(parsed.state, State::kRefused) << GetParam().what;
  EXPECT_EQ(parsed.refusal.status, GetParam().status) << GetParam().what;
  EXPECT_FALSE(parsed.refusal.reason.empty());
}

const std::string kGet = "GET / HTTP/1.1\r\n";

INSTANTIATE_TEST_SUITE_P(
    Vectors, Refused,
    ::testing::Values(
        // Request smuggling: whatever a proxy in front could frame differently.
        Vector{"both lengths", with("Content-Length: 3\r\nTransfer-Encoding: chunked\r\n"), 400},
        Vector{"both, reversed", with("Transfer-Encoding: chunked\r\nContent-Length: 3\r\n"), 400},
        Vector{"equal lengths", with("Content-Length: 3\r\nContent-Length: 3\r\n"), 400},
        Vector{"two lengths", with("Content-Length: 3\r\nContent-Length: 4\r\n"), 400},
        Vector{"length list", with("Content-Length: 3, 3\r\n"), 400},
        Vector{"signed length", with("Content-Length: +3\r\n"), 400},
        Vector{"negative length", with("Content-Length: -3\r\n"), 400},
        Vector{"hex length", with("Content-Length: 0x3\r\n"), 400},
        Vector{"empty length", with("Content-Length:\r\n"), 400},
        Vector{"huge length", with("Content-Length: 18446744073709551616\r\n"), 400},
        Vector{"2^63", with("Content-Length: 9223372036854775808\r\n"), 400},
        Vector{"gzip coding", with("Transfer-Encoding: gzip, chunked\r\n"), 501},
        Vector{"identity", with("Transfer-Encoding: identity\r\n"), 501},
        Vector{"disguised", with("Transfer-Encoding: xchunked\r\n"), 501},
        Vector{"two codings", with("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n"),
               400},
        Vector{"chunked in 1.0", "POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n",
               400},
        Vector{"blank before colon", with("Transfer-Encoding : chunked\r\n"), 400},
        Vector{"tab in name", with("Content-Length\t: 3\r\n"), 400},
        Vector{"folded", with("X: a\r\n b\r\n"), 400},
        Vector{"folded with tab", with("X: a\r\n\tContent-Length: 3\r\n"), 400},
        Vector{"first line folded", kGet + " Host: a\r\n\r\n", 400},
        Vector{"bare LF in fields", kGet + "Host: a\nX: b\r\n\r\n", 400},
        Vector{"bare LF at the end", kGet + "Host: a\r\n\n", 400},
        Vector{"bare LF after the request line", "GET / HTTP/1.1\nHost: a\r\n\r\n", 400},
        Vector{"bare CR in value", with("X: a\rContent-Length: 3\r\n"), 400},
        Vector{"bare CR in request line", "GET /\r HTTP/1.1\r\nHost: a\r\n\r\n", 400},
        Vector{"NUL in value", with(std::string("X: a\0b\r\n", 8)), 400},
        Vector{"DEL in value", with("X: a\x7f\r\n"), 400},
        Vector{"two hosts", with("Host: b\r\n"), 400},
        Vector{"equal hosts", with("Host: a\r\n"), 400},
        Vector{"no host", "GET / HTTP/1.1\r\n\r\n", 400},
        Vector{"host with path", kGet + "Host: a/b\r\n\r\n", 400},
        Vector{"host with user", kGet + "Host: u@a\r\n\r\n", 400},
        Vector{"host list", kGet + "Host: a b\r\n\r\n", 400},
        // Malformed in other ways.
        Vector{"no colon", with("Xabc\r\n"), 400}, Vector{"no name", with(": a\r\n"), 400},
        Vector{"bad name", with("X(y): a\r\n"), 400},
        Vector{"non-ASCII name", with("X\xc3\xa9: a\r\n"), 400},
        Vector{"no version", "GET /\r\nHost: a\r\n\r\n", 400},
        Vector{"lower-case version", "GET / http/1.1\r\nHost: a\r\n\r\n", 400},
        Vector{"long version", "GET / HTTP/1.10\r\nHost: a\r\n\r\n", 400},
        Vector{"HTTP/2 preface", "PRI * HTTP/2.0\r\n\r\n", 505},
        Vector{"HTTP/0.9", "GET / HTTP/0.9\r\nHost: a\r\n\r\n", 505},
        Vector{"two blanks", "GET  / HTTP/1.1\r\nHost: a\r\n\r\n", 400},
        Vector{"blank in target", "GET /a b HTTP/1.1\r\nHost: a\r\n\r\n", 400},
        Vector{"tab in target", "GET /a\tb HTTP/1.1\r\nHost: a\r\n\r\n", 400},
        Vector{"fragment", "GET /a#b HTTP/1.1\r\nHost: a\r\n\r\n", 400},
        Vector{"UTF-8 target", "GET /\xc3\xa9 HTTP/1.1\r\nHost: a\r\n\r\n", 400},
        Vector{"NUL in target", std::string("GET /\0 HTTP/1.1\r\nHost: a\r\n\r\n", 28), 400},
        Vector{"relative target", "GET a HTTP/1.1\r\nHost: a\r\n\r\n", 400},
        Vector{"asterisk", "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", 400},
        Vector{"authority form", "CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n", 400},
        Vector{"foreign scheme", "GET ftp://a/ HTTP/1.1\r\nHost: a\r\n\r\n", 400},
        Vector{"absolute form without host", "GET http:///x HTTP/1.1\r\nHost: a\r\n\r\n", 400},
        Vector{"user in absolute form", "GET http://u@a/ HTTP/1.1\r\nHost: a\r\n\r\n", 400},
        Vector{"TLS on a plain port", "\x16\x03\x01", 400},
        Vector{"long target", "GET /" + std::string(kTargetBytesMax, 'a') + " HTTP/1.1\r\n\r\n",
               414},
        Vector{"endless target", "GET /" + std::string(kTargetBytesMax + 100, 'a'), 414},
        Vector{"long value", with("X: " + std::string(70'000, 'a') + "\r\n"), 431},
        Vector{"endless value", kGet + "X: " + std::string(70'000, 'a'), 431},
        Vector{"expectation", with("Expect: 200-ok\r\n"), 417}));

TEST(HeadParser, FindsControlCharactersAnywhereInAValue) {
  for (int c = 1; c < 256; ++c) {
    const bool allowed = c == '\t' || (c >= 0x20 && c != 0x7F);
    for (std::size_t at = 1; at < 20; ++at) {
      std::string value(21, '\xff');
      value[at] = static_cast<char>(c);
      const auto parsed = parse(with("X: " + value + "\r\n"));
      ASSERT_EQ(parsed.state, allowed ? State::kComplete : State::kRefused) << c << " at " << at;
    }
  }
}

TEST(HeadParser, LimitsTheNumberOfFields) {
  std::string fields;
  for (int i = 0; i < 199; ++i) {
    fields += "X: y\r\n";
  }
  EXPECT_EQ(parse(with(fields)).state, State::kComplete);
  const auto parsed = parse(with(fields + "X: y\r\n"));
  EXPECT_EQ(parsed.state, State::kRefused);
  EXPECT_EQ(parsed.refusal.status, 431);
}

TEST(HeadParser, ARefusalStillSaysWhatWasAskedFor) {
  const auto parsed = parse("DELETE /v2/x HTTP/1.1\r\nHost: a\nX: " + std::string(10, 'a'));
  ASSERT_EQ(parsed.state, State::kRefused);
  EXPECT_EQ(parsed.head.method_name, "DELETE");
  EXPECT_EQ(parsed.head.path, "/v2/x");
}

/// How the bytes are cut into reads must not matter.
TEST(HeadParser, EverySplitGivesTheSameResult) {
  std::vector<std::string> texts{
      with("Content-Length: 3\r\nX: y\r\n") + "abc",
      "\r\nGET http://b/p HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\nGET",
      with("Content-Length: 3\r\nContent-Length: 3\r\n"),
      kGet + "Host: a\nX: b\r\n\r\n",
      with("X: a\r\n b\r\n"),
      "GET /a b HTTP/1.1\r\nHost: a\r\n\r\n",
      kGet + "Host: a\r\n\n",
  };
  for (const std::string& text : texts) {
    const Parsed whole = parse(text);
    ASSERT_NE(whole.state, State::kIncomplete) << text;
    for (std::size_t cut = 0; cut <= text.size(); ++cut) {
      HeadParser parser;
      Parsed split;
      split.state =
          parser.feed(std::string_view(text).substr(0, cut), {}, split.head, split.fields);
      if (split.state == State::kIncomplete) {
        split.state = parser.feed(text, {}, split.head, split.fields);
      }
      ASSERT_EQ(split.state, whole.state) << text << " cut at " << cut;
      ASSERT_EQ(parser.refusal().status, whole.refusal.status) << text << " cut at " << cut;
      if (whole.state == State::kComplete) {
        ASSERT_EQ(parser.size(), whole.size);
        ASSERT_EQ(split.head.target, whole.head.target);
        ASSERT_EQ(split.head.content_length, whole.head.content_length);
        ASSERT_EQ(split.fields.size(), whole.fields.size());
      }
    }
  }
}

TEST(HeadParser, ByteByByteAsWell) {
  const std::string text = with("Content-Length: 3\r\n");
  HeadParser parser;
  Head head;
  std::vector<HeaderField> fields;
  for (std::size_t size = 1; size < text.size(); ++size) {
    ASSERT_EQ(parser.feed(std::string_view(text).substr(0, size), {}, head, fields),
              State::kIncomplete);
  }
  EXPECT_EQ(parser.feed(text, {}, head, fields), State::kComplete);
}

}  // namespace
}  // namespace roadstead::http
