#include <gtest/gtest.h>

#include "json/json.h"

namespace roadstead::json {
namespace {

TEST(Document, ReadsEveryType) {
  const auto document = Document::parse(R"({"s":"a\u00e9\ud83d\ude00","i":-5,"d":1.5,"t":true,)"
                                        R"("f":false,"n":null,"a":[1,"x"],"o":{}})");
  ASSERT_TRUE(document);
  const Value root = document->root();
  EXPECT_TRUE(root.is_object());
  EXPECT_EQ(root.size(), 8U);
  EXPECT_EQ(root["s"].as_string(), "a\xc3\xa9\xf0\x9f\x98\x80");
  EXPECT_EQ(root["i"].as_int(), -5);
  EXPECT_EQ(root["i"].as_double(), -5.0);
  EXPECT_EQ(root["d"].as_double(), 1.5);
  EXPECT_EQ(root["t"].as_bool(), true);
  EXPECT_EQ(root["f"].as_bool(), false);
  EXPECT_TRUE(root["n"].is_null());
  EXPECT_TRUE(root["a"].is_array());
  EXPECT_EQ(root["a"].size(), 2U);
  EXPECT_EQ(root["a"].at(1).as_string(), "x");
  EXPECT_EQ(root.name_at(1), "i");
  EXPECT_EQ(root.value_at(1).as_int(), -5);
  const char* const types[] = {"string",  "number", "number", "boolean",
                               "boolean", "null",   "array",  "object"};
  for (std::size_t i = 0; i < root.size(); ++i) {
    EXPECT_EQ(root.value_at(i).type_name(), types[i]);
  }
}

TEST(Document, NothingIsConverted) {
  const auto document = Document::parse(
      R"({"s":"1","d":1.0,"big":9223372036854775808,"max":9223372036854775807,"t":true,"z":0})");
  const Value root = document->root();
  EXPECT_EQ(root["s"].as_int(), std::nullopt);
  EXPECT_EQ(root["d"].as_int(), std::nullopt);
  EXPECT_EQ(root["big"].as_int(), std::nullopt);
  EXPECT_EQ(root["big"].as_double(), 9223372036854775808.0);
  EXPECT_EQ(root["max"].as_int(), INT64_MAX);
  EXPECT_EQ(root["t"].as_int(), std::nullopt);
  EXPECT_EQ(root["z"].as_bool(), std::nullopt);
  EXPECT_EQ(root["z"].as_string(), std::nullopt);
}

TEST(Document, AbsentValuesAnswerNothing) {
  const Value absent;
  EXPECT_FALSE(absent.present());
  EXPECT_FALSE(absent["x"]["y"].present());
  EXPECT_FALSE(absent.is_null());
  EXPECT_EQ(absent.size(), 0U);
  EXPECT_EQ(absent.type_name(), "nothing");
  const auto document = Document::parse(R"({"a":null})");
  EXPECT_FALSE(document->root()["b"].present());
  EXPECT_TRUE(document->root()["a"].present());
  EXPECT_FALSE(document->root()["a"]["b"].present());
}

TEST(Document, LastOfEqualNamesCounts) {
  const auto document = Document::parse(R"({"a":1,"b":2,"a":3})");
  EXPECT_EQ(document->root()["a"].as_int(), 3);
  EXPECT_EQ(document->root().size(), 2U);
}

TEST(Document, RefusesMalformedText) {
  const std::string bad[] = {
      "",
      " ",
      "{",
      "}",
      "[1,]",
      "{\"a\":1,}",
      "{a:1}",
      "{'a':1}",
      "{\"a\" 1}",
      "01",
      "1.",
      ".5",
      "+1",
      "0x10",
      "1e400",
      "[{\"a\":-1e400}]",
      "1e99999999999",
      "NaN",
      "Infinity",
      "tru",
      "nul",
      "\"a",
      "\"\n\"",
      "\"\\x\"",
      "\"\\ud800\"",
      "\"\\udc00\"",
      "\"\\ud800\\u0041\"",
      "\"\xff\"",
      "\"\xc0\xaf\"",
      "\"\xed\xa0\x80\"",
      "\"\xf5\x80\x80\x80\"",
      "\"\xe2\x82\"",
      "{} {}",
      "{}x",
      "1 2",
      "\xef\xbb\xbf{}",
      "/* c */ {}",
      "// c\n{}",
      std::string("{}\0", 3),
      std::string("\0", 1),
  };
  for (const auto& text : bad) {
    const auto result = Document::parse(text);
    ASSERT_FALSE(result) << text;
    EXPECT_EQ(result.error().code, Code::kInvalid) << text;
    EXPECT_EQ(result.error().subject, Subject::kRequest);
  }
}

TEST(Document, ErrorsNameThePosition) {
  EXPECT_NE(Document::parse(R"({"a":1,x})").error().message.find("byte 7"), std::string::npos)
      << Document::parse(R"({"a":1,x})").error().message;
}

TEST(Document, AcceptsAnyTopLevelValueAndSpace) {
  for (const char* text : {"1", " \"a\" ", "null", "\t[ ]\r\n", "true"}) {
    EXPECT_TRUE(Document::parse(text)) << text;
  }
}

TEST(Document, LimitsDepth) {
  const auto nested = [](std::size_t depth) {
    return std::string(depth, '[') + std::string(depth, ']');
  };
  EXPECT_TRUE(Document::parse(nested(32)));
  EXPECT_FALSE(Document::parse(nested(33)));
  EXPECT_TRUE(Document::parse(nested(3), {.depth_max = 3, .size_max = 100}));
  EXPECT_FALSE(Document::parse(nested(4), {.depth_max = 3, .size_max = 100}));
  EXPECT_EQ(Document::parse(std::string(1'000'000, '[')).error().code, Code::kInvalid);
}

TEST(Document, LimitsSize) {
  const std::string text = "\"" + std::string(98, 'a') + "\"";
  EXPECT_TRUE(Document::parse(text, {.depth_max = 1, .size_max = 100}));
  EXPECT_EQ(Document::parse(text, {.depth_max = 1, .size_max = 99}).error().code, Code::kTooLarge);
}

TEST(Document, PrintsBackWhatItRead) {
  const std::string text = R"({"a":[1,-2,"x\n\"",null,true,{}],"b":{"c":[]}})";
  const auto document = Document::parse(" " + text + " ");
  EXPECT_EQ(document->root().to_text(), text);
  EXPECT_EQ(document->root()["a"].at(2).to_text(), R"("x\n\"")");
}

TEST(Document, MovesWithItsValues) {
  auto first =
      Document::parse(R"({"a":"text that is too long for a small string buffer"})").value();
  const Value a = first.root()["a"];
  const Document second = std::move(first);
  EXPECT_EQ(a.as_string(), second.root()["a"].as_string());
}

}  // namespace
}  // namespace roadstead::json
