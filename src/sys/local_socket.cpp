#include "sys/local_socket.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <optional>
#include <thread>
#include <utility>

#include <fmt/format.h>

namespace roadstead::sys {
namespace {

constexpr std::chrono::milliseconds kRequestTime{5'000};

class Descriptor {
 public:
  explicit Descriptor(int fd = -1) : fd_(fd) {}
  Descriptor(Descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~Descriptor() {
    if (fd_ >= 0) {
      ::close(fd_);
    }
  }
  [[nodiscard]] int get() const { return fd_; }

 private:
  int fd_;
};

Result<sockaddr_un> address_of(const std::filesystem::path& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::string text = path.string();
  if (text.size() >= sizeof address.sun_path) {
    return Error{Code::kInvalid,
                 Subject::kConfiguration,
                 fmt::format("{}: too long for a socket; choose a shorter data directory", text),
                 {}};
  }
  std::memcpy(address.sun_path, text.data(), text.size());
  return address;
}

using Deadline = std::chrono::steady_clock::time_point;

bool wait_for(int fd, short events, Deadline deadline) {
  const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
      deadline - std::chrono::steady_clock::now());
  pollfd poll_fd{fd, events, 0};
  return left.count() > 0 && ::poll(&poll_fd, 1, static_cast<int>(left.count())) == 1;
}

std::optional<std::string> read_line(int fd, Deadline deadline) {
  std::string line;
  while (wait_for(fd, POLLIN, deadline)) {
    char buffer[4096];
    const ssize_t n = ::recv(fd, buffer, sizeof buffer, 0);
    if (n <= 0) {
      return std::nullopt;
    }
    line.append(buffer, static_cast<std::size_t>(n));
    if (line.ends_with('\n')) {
      line.pop_back();
      return line;
    }
    if (line.size() > kLocalMessageMax) {
      return std::nullopt;
    }
  }
  return std::nullopt;
}

bool write_line(int fd, std::string_view text, Deadline deadline) {
  const std::string line = std::string(text) + "\n";
  std::string_view rest = line;
  while (!rest.empty() && wait_for(fd, POLLOUT, deadline)) {
    const ssize_t n = ::send(fd, rest.data(), rest.size(), MSG_NOSIGNAL);
    if (n <= 0) {
      return false;
    }
    rest.remove_prefix(static_cast<std::size_t>(n));
  }
  return rest.empty();
}

}  // namespace

struct LocalServer::State {
  std::filesystem::path path;
  Descriptor listener;
  Descriptor stop;
  std::function<std::string(std::string_view)> handler;
  std::thread thread;

  void run() {
    for (;;) {
      pollfd fds[2] = {{listener.get(), POLLIN, 0}, {stop.get(), POLLIN, 0}};
      if (::poll(fds, 2, -1) < 0 && errno != EINTR) {
        return;
      }
      if (fds[1].revents != 0) {
        return;
      }
      if (fds[0].revents != 0) {
        const Descriptor client(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
        const Deadline deadline = std::chrono::steady_clock::now() + kRequestTime;
        if (const auto request =
                client.get() < 0 ? std::nullopt : read_line(client.get(), deadline)) {
          write_line(client.get(), handler(*request),
                     std::chrono::steady_clock::now() + kRequestTime);
        }
      }
    }
  }
};

LocalServer::LocalServer(std::unique_ptr<State> state) : state_(std::move(state)) {
  state_->thread = std::thread([s = state_.get()] { s->run(); });
}

LocalServer::~LocalServer() {
  const std::uint64_t one = 1;
  static_cast<void>(::write(state_->stop.get(), &one, sizeof one) == 0);
  state_->thread.join();
  ::unlink(state_->path.c_str());
}

Result<std::unique_ptr<LocalServer>> LocalServer::start(
    const std::filesystem::path& path, std::function<std::string(std::string_view)> handler) {
  const sockaddr_un address = TRY(address_of(path));
  auto state = std::make_unique<State>();
  state->path = path;
  state->handler = std::move(handler);
  state->listener = Descriptor(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  state->stop = Descriptor(::eventfd(0, EFD_CLOEXEC));
  ::unlink(path.c_str());
  // The directory is 0700 and the mode is set before listen(): nobody else gets to connect in
  // between.
  if (state->listener.get() < 0 || state->stop.get() < 0 ||
      ::bind(state->listener.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) !=
          0 ||
      ::chmod(path.c_str(), S_IRUSR | S_IWUSR) != 0 || ::listen(state->listener.get(), 16) != 0) {
    return system_error(errno, "listen on " + path.string());
  }
  return std::unique_ptr<LocalServer>(new LocalServer(std::move(state)));
}

Result<std::string> call_local_server(const std::filesystem::path& path, std::string_view request,
                                      std::chrono::milliseconds timeout) {
  const sockaddr_un address = TRY(address_of(path));
  const Descriptor socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    if (errno == ENOENT || errno == ECONNREFUSED) {
      return Error{Code::kNotFound, Subject::kNone, "no running server at " + path.string(), {}};
    }
    return system_error(errno, "connect to " + path.string());
  }
  const Deadline deadline = std::chrono::steady_clock::now() + timeout;
  if (write_line(socket.get(), request, deadline)) {
    if (auto answer = read_line(socket.get(), deadline)) {
      return std::move(*answer);
    }
  }
  return Error{Code::kUnavailable, Subject::kNone, "the running server did not answer", {}};
}

}  // namespace roadstead::sys
