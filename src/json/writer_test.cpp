#include <cmath>
#include <limits>
#include <random>

#include <gtest/gtest.h>

#include "json/json.h"

namespace roadstead::json {
namespace {

TEST(Writer, WritesNestedStructures) {
  Writer w;
  w.begin_object();
  w.member("name", "alpine");
  w.key("tags");
  w.begin_array();
  w.value(std::string("a"));
  w.value(1);
  w.value(std::uint64_t{UINT64_MAX});
  w.value(std::int64_t{INT64_MIN});
  w.value(7ULL);
  w.value(short{-3});
  w.value(true);
  w.value(1.5);
  w.null();
  w.begin_object();
  w.end_object();
  w.begin_array();
  w.end_array();
  w.end_array();
  w.member("ok", false);
  w.key("raw");
  w.raw(R"({"x":[]})");
  w.end_object();
  EXPECT_EQ(w.take(),
            R"({"name":"alpine","tags":["a",1,18446744073709551615,-9223372036854775808,7,-3,)"
            R"(true,1.5,null,{},[]],"ok":false,"raw":{"x":[]}})");
}

TEST(Writer, IsAsNewAfterTake) {
  Writer w;
  w.value("a");
  EXPECT_EQ(w.take(), "\"a\"");
  w.begin_array();
  w.value("b");
  w.end_array();
  EXPECT_EQ(w.take(), "[\"b\"]");
}

TEST(Writer, NumbersThatJsonLacksBecomeNull) {
  Writer w;
  w.begin_array();
  w.value(std::nan(""));
  w.value(std::numeric_limits<double>::infinity());
  w.end_array();
  EXPECT_EQ(w.take(), "[null,null]");
}

TEST(WriterDeathTest, StructureErrorsAreDefects) {
  EXPECT_DEATH(
      {
        Writer w;
        w.begin_object();
        w.value("no key");
      },
      "last_");
  EXPECT_DEATH(
      {
        Writer w;
        w.begin_array();
        w.key("a");
      },
      "open_");
  EXPECT_DEATH(
      {
        Writer w;
        w.begin_array();
        w.end_object();
      },
      "open_");
  EXPECT_DEATH(
      {
        Writer w;
        w.begin_object();
        w.key("a");
        w.end_object();
      },
      "last_");
  EXPECT_DEATH(
      {
        Writer w;
        w.value(1);
        w.value(2);
      },
      "out_");
  EXPECT_DEATH(
      {
        Writer w;
        w.begin_array();
        (void)w.take();
      },
      "open_");
}

TEST(Quote, EscapesWhatMustBe) {
  EXPECT_EQ(quote(""), "\"\"");
  EXPECT_EQ(quote("a\"b\\c/"), R"("a\"b\\c/")");
  EXPECT_EQ(quote("\b\f\n\r\t"), R"("\b\f\n\r\t")");
  EXPECT_EQ(quote(std::string_view("\0\x1f\x7f", 3)), R"("\u0000\u001f\u007f")");
  EXPECT_EQ(quote("\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80"),
            "\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\"");
}

TEST(Quote, ReplacesInvalidUtf8) {
  const std::string r = "\xef\xbf\xbd";
  EXPECT_EQ(quote("a\xff"
                  "b"),
            "\"a" + r + "b\"");
  EXPECT_EQ(quote("\xc0\xaf"), "\"" + r + r + "\"");
  EXPECT_EQ(quote("\xed\xa0\x80"), "\"" + r + r + r + "\"");
  EXPECT_EQ(quote("\xe2\x82"), "\"" + r + r + "\"");
  EXPECT_EQ(quote("\xf4\x90\x80\x80"), "\"" + r + r + r + r + "\"");
}

TEST(Quote, AnyBytesBecomeAStringThatParses) {
  std::mt19937 random(2);
  for (int i = 0; i < 3000; ++i) {
    std::string text(random() % 12, '\0');
    for (char& c : text) {
      c = static_cast<char>(random());
    }
    const auto document = Document::parse(quote(text));
    ASSERT_TRUE(document);
    const std::string read(document->root().as_string().value());
    // What was valid stays as it is; what was not has become valid.
    ASSERT_EQ(Document::parse(quote(read))->root().as_string(), read);
  }
}

TEST(Quote, ValidTextSurvivesUnchanged) {
  const std::string text = "plain \x01 \"quoted\" \\ \xc3\xa9 \xf0\x9f\x98\x80";
  EXPECT_EQ(Document::parse(quote(text))->root().as_string(), text);
}

}  // namespace
}  // namespace roadstead::json
