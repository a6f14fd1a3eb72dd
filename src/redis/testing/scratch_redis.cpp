#include "redis/testing/scratch_redis.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>

#include <fmt/format.h>

namespace roadstead::redis::testing {
namespace {

constexpr int kPortAttempts = 5;
constexpr const char* kServer = "/usr/bin/redis-server";
constexpr const char* kOpenssl = "/usr/bin/openssl";

[[noreturn]] void give_up(std::string_view why) {
  std::fprintf(stderr, "scratch redis: %s\n", std::string(why).c_str());
  std::abort();
}

pid_t spawn(const std::vector<std::string>& words) {
  std::vector<char*> arguments;
  for (const std::string& word : words) {
    arguments.push_back(const_cast<char*>(word.c_str()));
  }
  arguments.push_back(nullptr);
  const pid_t pid = ::fork();
  if (pid == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    ::execv(arguments[0], arguments.data());
    ::_exit(127);
  }
  if (pid < 0) {
    give_up("fork fails");
  }
  return pid;
}

sockaddr_in loopback(std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

std::uint16_t free_port() {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address = loopback(0);
  socklen_t size = sizeof address;
  const bool bound = ::bind(fd, reinterpret_cast<const sockaddr*>(&address), size) == 0 &&
                     ::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) == 0;
  ::close(fd);
  if (!bound) {
    give_up("no port is free");
  }
  return ntohs(address.sin_port);
}

std::unique_ptr<Client> open_logging(const std::string& url, log::Sink& sink) {
  auto options = parse_url(url);
  if (!options) {
    give_up(options.error().message);
  }
  auto client = Client::open(std::move(*options), log::Logger(sink));
  if (!client) {
    give_up(client.error().message);
  }
  return std::move(*client);
}

}  // namespace

std::string why_no_server() {
  return ::access(kServer, X_OK) == 0 ? "" : "redis-server is not installed (./x setup test)";
}

Certificate::Certificate(const std::filesystem::path& folder, std::string_view name,
                         std::string_view address)
    : certificate_file(folder / fmt::format("{}.crt", name)),
      key_file(folder / fmt::format("{}.key", name)) {
  const pid_t pid =
      spawn({kOpenssl, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
             "-nodes", "-days", "2", "-subj", fmt::format("/CN={}", name), "-addext",
             fmt::format("subjectAltName=IP:{}", address), "-keyout", key_file, "-out",
             certificate_file});
  int status = 0;
  if (::waitpid(pid, &status, 0) != pid || status != 0) {
    give_up("openssl makes no certificate");
  }
}

ScratchRedis::ScratchRedis(Options options) : options_(std::move(options)) {
  for (int attempt = 0; attempt < kPortAttempts; ++attempt) {
    // Between choosing a free port and listening on it, somebody else may take it.
    port_ = free_port();
    if (try_start()) {
      return;
    }
  }
  give_up("it does not start");
}

ScratchRedis::~ScratchRedis() {
  kill();
}

void ScratchRedis::write_configuration() const {
  const std::filesystem::path file = directory_.path() / "redis.conf";
  if (options_.sentinel && std::filesystem::exists(file)) {
    return;  // A sentinel keeps there what it knows.
  }
  std::ofstream out(file);
  out << "bind 127.0.0.1\ndir " << directory_.path().string() << "\nlogfile "
      << (directory_.path() / "log").string() << "\n";
  if (options_.tls != nullptr) {
    out << "port 0\ntls-port " << port_ << "\ntls-cert-file " << options_.tls->certificate_file
        << "\ntls-key-file " << options_.tls->key_file << "\ntls-ca-cert-file "
        << options_.tls->certificate_file << "\n";
  } else {
    out << "port " << port_ << "\n";
  }
  if (!options_.sentinel) {
    out << "save \"\"\n";
  }
  for (const std::string& line : options_.lines) {
    out << line << "\n";
  }
}

bool ScratchRedis::try_start() {
  write_configuration();
  std::vector<std::string> words{kServer, (directory_.path() / "redis.conf").string()};
  if (options_.sentinel) {
    words.emplace_back("--sentinel");
  }
  pid_ = spawn(words);
  const bool started = comes_true([&] {
    int status = 0;
    if (::waitpid(pid_, &status, WNOHANG) == pid_) {
      pid_ = -1;
    }
    return pid_ < 0 || listens();
  });
  if (!started) {
    kill();
  }
  return pid_ > 0;
}

void ScratchRedis::start() {
  if (!try_start()) {
    give_up("it does not start again");
  }
}

/// Whether our own process does, and not another one that took the port.
bool ScratchRedis::listens() const {
  std::ifstream log(directory_.path() / "log");
  const std::string mine = fmt::format("{}:", pid_);
  bool ready = false;
  for (std::string line; std::getline(log, line);) {
    ready = ready || (line.starts_with(mine) &&
                      (line.find("Ready to accept connections") != std::string::npos ||
                       line.find("Sentinel ID is") != std::string::npos));
  }
  if (!ready) {
    return false;
  }
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const sockaddr_in address = loopback(port_);
  const bool connected =
      ::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
  ::close(fd);
  return connected;
}

void ScratchRedis::kill() {
  if (pid_ > 0) {
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
    pid_ = -1;
  }
}

void ScratchRedis::pause() {
  ::kill(pid_, SIGSTOP);
}

void ScratchRedis::resume() {
  ::kill(pid_, SIGCONT);
}

std::string ScratchRedis::address() const {
  return fmt::format("127.0.0.1:{}", port_);
}

std::string ScratchRedis::url(std::string_view query) const {
  return fmt::format("{}://{}/0{}", options_.tls != nullptr ? "rediss" : "redis", address(), query);
}

std::unique_ptr<Client> open_client(const std::string& url) {
  static const SystemClock kClock;
  static log::Sink sink(2, log::Format::kText, log::Level::kError, kClock);
  return open_logging(url, sink);
}

std::string why_away(const std::string& url, const std::filesystem::path& folder) {
  const std::filesystem::path path = folder / "client.log";
  const SystemClock clock;
  const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  {
    log::Sink sink(fd, log::Format::kText, log::Level::kWarning, clock);
    open_logging(url, sink);
  }
  ::close(fd);
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

void pause_for(std::chrono::milliseconds time) {
  ::poll(nullptr, 0, static_cast<int>(time.count()));
}

bool comes_true(const std::function<bool()>& condition) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  while (!condition()) {
    if (std::chrono::steady_clock::now() > deadline) {
      return false;
    }
    pause_for(std::chrono::milliseconds(5));
  }
  return true;
}

}  // namespace roadstead::redis::testing
