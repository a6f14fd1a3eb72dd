#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "storage/s3.h"

namespace roadstead::storage::testing {

/// A running S3 server with one bucket, a process of our own that ends with this object.
class S3Server {
 public:
  /// tests/support/s3_double.py, which fails on demand.
  static std::unique_ptr<S3Server> start_double();
  /// A real one; null where it cannot be had. OpenStack Swift where ROADSTEAD_TEST_STORAGE says so,
  /// which takes seconds to start, else versitygw.
  static std::unique_ptr<S3Server> start_real();
  ~S3Server();
  S3Server(const S3Server&) = delete;
  S3Server& operator=(const S3Server&) = delete;

  [[nodiscard]] std::string endpoint() const;
  /// Of a store under `prefix`, impatient enough for tests.
  [[nodiscard]] S3Options options(std::string_view prefix) const;
  /// Of the double: POSTs to its control paths ("/__fault", …) and returns what it answers.
  std::string control(std::string_view path, std::string_view body) const;

 private:
  S3Server() = default;
  static std::unique_ptr<S3Server> start(const std::string& script);
  int process_ = -1;
  int input_ = -1;
  std::string port_;
  Environment environment_;
};

/// "versitygw" or "swift": what start_real() would start.
std::string real_server();
/// Of a test that cannot run because start_real() gave nothing.
inline constexpr std::string_view kNoRealServer =
    "the real S3 server is not here: tests/e2e/clients builds versitygw, ./x setup swift installs "
    "Swift";

/// What a store on the double reads instead of the environment.
std::optional<std::string> test_environment(std::string_view name);

}  // namespace roadstead::storage::testing
