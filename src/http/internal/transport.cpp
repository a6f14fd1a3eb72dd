#include "http/internal/transport.h"

#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

namespace roadstead::http {
namespace {

using Kind = IoResult::Kind;

IoResult result_of(ssize_t moved) {
  if (moved > 0) {
    return {Kind::kMoved, static_cast<std::size_t>(moved)};
  }
  if (moved == 0) {
    return {Kind::kEnded};
  }
  return {errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR ? Kind::kBlocked
                                                                    : Kind::kFailed};
}

}  // namespace

Transport::Transport(Transport&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)), tls_(std::move(other.tls_)) {}

Transport::~Transport() {
  tls_.reset();
  if (fd_ >= 0) {
    ::close(fd_);
  }
}

IoResult Transport::read(std::span<char> into) {
  if (tls_) {
    return tls_->read(into);
  }
  return result_of(::recv(fd_, into.data(), into.size(), 0));
}

IoResult Transport::write(std::string_view first, std::string_view second, bool more) {
  if (tls_) {
    return tls_->write(first.empty() ? second : first);
  }
  const int flags = MSG_NOSIGNAL | (more ? MSG_MORE : 0);
  if (first.empty() || second.empty()) {
    const std::string_view only = first.empty() ? second : first;
    return result_of(::send(fd_, only.data(), only.size(), flags));
  }
  std::array<iovec, 2> pieces{{{const_cast<char*>(first.data()), first.size()},
                               {const_cast<char*>(second.data()), second.size()}}};
  msghdr message{};
  message.msg_iov = pieces.data();
  message.msg_iovlen = pieces.size();
  return result_of(::sendmsg(fd_, &message, flags));
}

IoResult Transport::send_file(int file, std::uint64_t offset, std::uint64_t length,
                              std::span<char> scratch) {
  if (tls_ && tls_->kernel_sends()) {
    return tls_->send_file(file, offset, length);
  }
  if (tls_) {
    const ssize_t got =
        ::pread(file, scratch.data(), std::min<std::uint64_t>(length, scratch.size()),
                static_cast<off_t>(offset));
    // A retry after kBlocked reads the same bytes again: files behind a region do not change.
    return got > 0 ? tls_->write({scratch.data(), static_cast<std::size_t>(got)})
                   : IoResult{Kind::kFailed};
  }
  auto position = static_cast<off_t>(offset);
  return result_of(::sendfile(fd_, file, &position, length));
}

IoResult Transport::discard(std::span<char> scratch) {
  return result_of(::recv(fd_, scratch.data(), scratch.size(), 0));
}

void Transport::shutdown_write() {
  if (tls_) {
    tls_->close_notify();
  }
  ::shutdown(fd_, SHUT_WR);
}

}  // namespace roadstead::http
