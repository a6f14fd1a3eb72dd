#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"
#include "storage/internal/s3_signer.h"

namespace roadstead::storage::internal {

/// One HTTP request to a server that is not ours.
struct HttpRequest {
  std::string method = "GET";
  std::string url;
  NamedValues headers{};
  /// Bytes of a body of `body_size`, read again from anywhere when it has to be sent again. Empty:
  /// no body.
  std::function<Result<std::size_t>(std::uint64_t offset, std::span<std::byte> into)> body{};
  std::uint64_t body_size = 0;
  std::string ca_file{};
  bool direct = false;  ///< Never through a proxy.
  std::chrono::milliseconds connect_time{5'000};
  std::chrono::milliseconds silence_max{30'000};  ///< Without a byte.
  std::chrono::milliseconds time_max{0};          ///< For all of it; 0: none.
};

struct HttpAnswer {
  int status = 0;
  std::map<std::string, std::string, std::less<>> headers;  ///< Lower-case names.
  std::string body;

  /// "" when there is none.
  [[nodiscard]] std::string_view header(std::string_view name) const;
};

/// Connections that are kept for the next request. Thread-safe; outlives its exchanges.
class HttpPool {
 public:
  HttpPool();
  ~HttpPool();
  HttpPool(const HttpPool&) = delete;
  HttpPool& operator=(const HttpPool&) = delete;

 private:
  friend class HttpExchange;
  struct State;
  std::unique_ptr<State> state_;
};

/// A request being sent and its answer being read, at the pace of the reader: a connection whose
/// bytes nobody takes stands still. Used by one thread at a time. Errors of all functions:
/// kUnavailable + kStorage with what the connection died of.
class HttpExchange {
 public:
  HttpExchange(HttpPool& pool, HttpRequest request);
  ~HttpExchange();  ///< Ends a connection with bytes still to come.
  HttpExchange(const HttpExchange&) = delete;
  HttpExchange& operator=(const HttpExchange&) = delete;

  /// Sends the request and waits for status and headers.
  Result<void> head();
  /// After head(); `body` stays empty.
  [[nodiscard]] const HttpAnswer& answer() const;
  /// Reads until `into` is full or the body ends.
  Result<std::size_t> read(std::span<std::byte> into);
  /// The whole body. Errors: also kTooLarge + kStorage beyond `size_max`.
  Result<std::string> read_all(std::size_t size_max);
  [[nodiscard]] std::uint64_t sent_bytes() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// The answer with its body. Errors: those of HttpExchange.
Result<HttpAnswer> fetch(HttpPool& pool, HttpRequest request, std::size_t size_max);

}  // namespace roadstead::storage::internal
