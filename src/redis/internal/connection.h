#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"
#include "redis/internal/stream.h"
#include "redis/reply.h"

struct redisReader;

namespace roadstead::redis::internal {

using Words = std::span<const std::string_view>;

/// One connection: a command, its answer, the next command. Used by one thread at a time.
class Connection {
 public:
  explicit Connection(Stream stream);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  /// The answer, which may be an error of the server's. Errors: kUnavailable, after which the
  /// connection is of no use.
  Result<Reply> call(Words words, Deadline deadline);
  /// As call(), for what must succeed. Errors also: kUnavailable naming the command, and the kind
  /// of error, but no words: a server repeats what it does not understand, and that may be a
  /// password.
  Result<Reply> expect(std::string_view what, std::initializer_list<std::string_view> words,
                       Deadline deadline);
  [[nodiscard]] bool is_stale() const { return stream_.is_stale(); }

 private:
  struct ReaderFree {
    void operator()(redisReader* reader) const;
  };
  Stream stream_;
  std::unique_ptr<redisReader, ReaderFree> reader_;
};

/// "READONLY" of "READONLY You can't write against a read only replica.".
std::string_view kind_of_error(std::string_view text);

}  // namespace roadstead::redis::internal
