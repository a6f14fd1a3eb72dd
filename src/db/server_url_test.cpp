#include <gtest/gtest.h>

#include "db/internal/mysql_errors.h"
#include "db/internal/mysql_url.h"
#include "db/server.h"

namespace roadstead::db {
namespace {

using internal::Failure;
using internal::mysql_failure;
using internal::mysql_meaning;
using internal::MysqlAddress;
using internal::parse_mysql_url;
using namespace std::chrono_literals;

TEST(ServerUrl, OurOptionsAreTakenOut) {
  const auto options = parse_server_url(
      "postgresql://u:p@h/d?pool_size=7&sslmode=require&statement_seconds=9&acquire_seconds=2&"
      "prepared_statements=false&application_name=x");
  ASSERT_TRUE(options);
  EXPECT_EQ(options->url, "postgresql://u:p@h/d?sslmode=require&application_name=x");
  EXPECT_EQ(options->pool_size, 7U);
  EXPECT_EQ(options->statement_time, 9s);
  EXPECT_EQ(options->acquire_time, 2s);
  EXPECT_FALSE(options->prepared_statements);
  EXPECT_EQ(parse_server_url("mysql://u@h/d?pool_size=3&ssl-mode=required")->url,
            "mysql://u@h/d?ssl-mode=required");
}

TEST(ServerUrl, BadOnesAreRefusedWithoutTheirPassword) {
  for (const char* url :
       {"http://u:s3cret@h/d", "mysql://u:s3cret@h", "mysql://u:s3cret@h/", "mysql://h/d",
        "mysql://:s3cret@h/d", "mysql://u:s3cret@h:0/d", "mysql://u:s3cret@h:70000/d",
        "mysql://u:s3cret@h:x/d", "mysql://u:s3cret%2@h/d", "mysql://u:s3cret%zz@h/d",
        "mysql://u:s3cret%00@h/d", "mysql://u:s3cret@h/d?ssl-mode=s3cret",
        "mysql://u:s3cret@h/d?colour=red", "mysql://u:s3cret@h/d?ssl-mode=disabled&ssl-ca=f",
        "mysql://u:s3cret@h/d?pool_size=0", "postgresql://u:s3cret@h/d?pool_size=many",
        "postgresql://u:s3cret@h/d?prepared_statements=maybe"}) {
    const auto options = parse_server_url(url);
    ASSERT_FALSE(options) << url;
    EXPECT_EQ(options.error().code, Code::kInvalid) << url;
    EXPECT_EQ(options.error().message.find("s3cret"), std::string::npos) << url;
  }
}

TEST(ServerUrl, PasswordsAreMasked) {
  EXPECT_EQ(mask_password("mysql://u:s3cret@h:1/d?x=1"), "mysql://u:***@h:1/d?x=1");
  EXPECT_EQ(mask_password("mysql://u:a@b:c@h/d"), "mysql://u:***@h/d");
  EXPECT_EQ(mask_password("postgresql://h/d?password=s3cret&x=1"),
            "postgresql://h/d?password=***&x=1");
  EXPECT_EQ(mask_password("postgresql://u@h:5432/d"), "postgresql://u@h:5432/d");
}

TEST(MysqlUrl, EveryPart) {
  const auto address = parse_mysql_url(
      "mysql://us%40er:p%3A%2F%40ss@db.example:3307/my%2Ddb?ssl-mode=VERIFY_IDENTITY&ssl-ca=/a%20b&"
      "ssl-cert=/c&ssl-key=/k&server-public-key-path=/p&socket=/s");
  ASSERT_TRUE(address);
  EXPECT_EQ(address->user, "us@er");
  EXPECT_EQ(address->password, "p:/@ss");
  EXPECT_EQ(address->host, "db.example");
  EXPECT_EQ(address->port, 3307);
  EXPECT_EQ(address->database, "my-db");
  EXPECT_EQ(address->tls, MysqlAddress::Tls::kVerified);
  EXPECT_EQ(address->tls_authority, "/a b");
  EXPECT_EQ(address->tls_certificate, "/c");
  EXPECT_EQ(address->tls_key, "/k");
  EXPECT_EQ(address->server_public_key, "/p");
  EXPECT_EQ(address->socket, "/s");
}

TEST(MysqlUrl, Defaults) {
  const auto address = parse_mysql_url("mysql://u@/d");
  ASSERT_TRUE(address);
  EXPECT_EQ(address->host, "127.0.0.1");
  EXPECT_EQ(address->port, 3306);
  EXPECT_EQ(address->tls, MysqlAddress::Tls::kNone);
  EXPECT_EQ(parse_mysql_url("mysql://u@[::1]:3310/d")->host, "::1");
  EXPECT_EQ(parse_mysql_url("mysql://u@[::1]:3310/d")->port, 3310);
  EXPECT_EQ(parse_mysql_url("mysql://u@h/d?ssl-ca=f")->tls, MysqlAddress::Tls::kVerified)
      << "who names an authority wants it asked";
}

TEST(MysqlErrors, WhatTheyMean) {
  const auto failure = [](unsigned number) { return mysql_meaning(number, "").failure; };
  const auto code = [](unsigned number, std::string_view text = "") {
    return mysql_meaning(number, text).code;
  };
  EXPECT_EQ(failure(1213), Failure::kConflict);
  EXPECT_EQ(failure(1205), Failure::kConflict);
  for (const unsigned number : {1062U, 1451U, 1452U}) {
    EXPECT_EQ(failure(number), Failure::kViolation) << number;
    EXPECT_EQ(code(number), Code::kConflict) << number;
  }
  for (const unsigned number : {1053U, 1290U, 1836U, 1927U, 2002U, 2006U, 2013U, 2026U, 4031U}) {
    EXPECT_EQ(failure(number), Failure::kLost) << number;
    EXPECT_EQ(code(number), Code::kUnavailable) << number;
  }
  for (const unsigned number : {1040U, 1203U, 1317U, 1461U, 1969U, 3024U, 1021U}) {
    EXPECT_EQ(failure(number), Failure::kOther) << number;
    EXPECT_EQ(code(number), Code::kUnavailable) << number;
  }
  EXPECT_EQ(code(1406), Code::kInvalid);
  EXPECT_EQ(code(1366, "Incorrect string value: '\\xFF' for column"), Code::kInvalid);
  EXPECT_EQ(code(1366, "Incorrect integer value: 'x' for column"), Code::kInternal);
  EXPECT_EQ(code(1064), Code::kInternal);
}

TEST(MysqlErrors, TheNameOfWhatIsViolatedAndNoData) {
  const auto told = [](unsigned number, std::string_view text) {
    return mysql_failure(mysql_meaning(number, text), number, text);
  };
  const Error mariadb = told(1062, "Duplicate entry '1-s3cret' for key 'tag_name'");
  EXPECT_EQ(mariadb.detail, "tag_name");
  EXPECT_EQ(mariadb.message.find("s3cret"), std::string::npos);
  EXPECT_EQ(told(1062, "Duplicate entry 's3cret' for key 'tag.tag_name'").detail, "tag_name");
  EXPECT_EQ(told(1452,
                 "Cannot add or update a child row: a foreign key constraint fails (`d`.`tag`, "
                 "CONSTRAINT `tag_ibfk_1` FOREIGN KEY (`x`) REFERENCES `y` (`id`))")
                .detail,
            "tag_ibfk_1");
  EXPECT_EQ(told(1451, "fails (\"d\".\"tag\", CONSTRAINT \"tag_ibfk_2\" FOREIGN KEY …").detail,
            "tag_ibfk_2");
  EXPECT_EQ(told(1366, "Incorrect string value: 's3cret'").message.find("s3cret"),
            std::string::npos);
}

}  // namespace
}  // namespace roadstead::db
