#include "redis/internal/connection.h"

#include <array>
#include <utility>

#include <fmt/format.h>
#include <hiredis/hiredis.h>

#include "base/check.h"

namespace roadstead::redis::internal {
namespace {

/// No answer that anybody here asks for comes near it.
constexpr std::size_t kReplyBytesMax = std::size_t{16} << 20U;

/// hiredis nests no deeper than seven levels.
Reply convert(const redisReply& from) {  // NOLINT(misc-no-recursion)
  Reply reply;
  switch (from.type) {
    case REDIS_REPLY_INTEGER:
      reply.kind = Reply::Kind::kInteger;
      reply.integer = from.integer;
      break;
    case REDIS_REPLY_STRING:
    case REDIS_REPLY_STATUS:
      reply.kind = Reply::Kind::kText;
      reply.text.assign(from.str, from.len);
      break;
    case REDIS_REPLY_ERROR:
      reply.kind = Reply::Kind::kError;
      reply.text.assign(from.str, from.len);
      break;
    case REDIS_REPLY_ARRAY:
      reply.kind = Reply::Kind::kList;
      for (std::size_t i = 0; i < from.elements; ++i) {
        reply.list.push_back(convert(*from.element[i]));
      }
      break;
    default:
      break;
  }
  return reply;
}

std::string encode(Words words) {
  std::string text = fmt::format("*{}\r\n", words.size());
  for (const std::string_view word : words) {
    fmt::format_to(std::back_inserter(text), "${}\r\n{}\r\n", word.size(), word);
  }
  return text;
}

}  // namespace

void Connection::ReaderFree::operator()(redisReader* reader) const {
  redisReaderFree(reader);
}

Connection::Connection(Stream stream) : stream_(std::move(stream)), reader_(redisReaderCreate()) {
  CHECK(reader_ != nullptr);
}

Connection::~Connection() = default;

Result<Reply> Connection::call(Words words, Deadline deadline) {
  TRY(stream_.send(encode(words), deadline));
  std::array<char, 4'096> buffer{};
  for (std::size_t received = 0; received <= kReplyBytesMax;) {
    const std::size_t size = TRY(stream_.receive(buffer, deadline));
    received += size;
    void* found = nullptr;
    if (redisReaderFeed(reader_.get(), buffer.data(), size) != REDIS_OK ||
        redisReaderGetReply(reader_.get(), &found) != REDIS_OK) {
      return unavailable("the server does not speak the protocol");
    }
    if (found != nullptr) {
      const std::unique_ptr<void, decltype(&freeReplyObject)> reply(found, &freeReplyObject);
      return convert(*static_cast<const redisReply*>(found));
    }
  }
  return unavailable("an answer is too large");
}

Result<Reply> Connection::expect(std::string_view what,
                                 std::initializer_list<std::string_view> words, Deadline deadline) {
  Reply reply = TRY(call(std::span(words.begin(), words.size()), deadline));
  if (reply.kind == Reply::Kind::kError) {
    return unavailable(fmt::format("the server refuses {}: {}", what, kind_of_error(reply.text)));
  }
  return reply;
}

std::string_view kind_of_error(std::string_view text) {
  return text.substr(0, text.find(' '));
}

}  // namespace roadstead::redis::internal
