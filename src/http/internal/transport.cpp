#include "http/internal/transport.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
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

/// Lets the kernel cut what is written meanwhile into segments of its own size, not of one record
/// each.
class Cork {
 public:
  explicit Cork(int fd) : fd_(fd) { set(1); }
  ~Cork() { set(0); }
  Cork(const Cork&) = delete;
  Cork& operator=(const Cork&) = delete;

 private:
  void set(int on) const { ::setsockopt(fd_, IPPROTO_TCP, TCP_CORK, &on, sizeof on); }
  int fd_;
};

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
    return got > 0 ? write_records({scratch.data(), static_cast<std::size_t>(got)})
                   : IoResult{Kind::kFailed};
  }
  auto position = static_cast<off_t>(offset);
  return result_of(::sendfile(fd_, file, &position, length));
}

/// Each write makes one record. What did not fit is encrypted again from the file: files behind a
/// region do not change.
IoResult Transport::write_records(std::string_view bytes) {
  const Cork cork(fd_);
  std::size_t sent = 0;
  while (sent < bytes.size()) {
    const IoResult record = tls_->write(bytes.substr(sent));
    if (record.kind != Kind::kMoved) {
      return sent > 0 ? IoResult{Kind::kMoved, sent} : record;
    }
    sent += record.bytes;
  }
  return {Kind::kMoved, sent};
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
