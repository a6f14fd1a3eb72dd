// bench_floor: the least a registry can do for an upload. It answers the same requests as a
// registry (POST, PATCH, PUT; or one POST with the body), receives, hashes with SHA-256, writes,
// fdatasyncs, renames to the digest and fsyncs the directory: nothing else. No permissions, no
// database, no limits: it is the measure for the push rows of ./x bench and must never serve
// anybody.
//
//   bench_floor --listen 127.0.0.1:PORT --data DIRECTORY
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include <fmt/format.h>
#include <openssl/evp.h>
#include <strings.h>

#include "base/text.h"

namespace roadstead::bench {
namespace {

constexpr size_t kBufferSize = size_t{1} << 20;
constexpr size_t kHeadSizeMax = size_t{16} << 10;
constexpr size_t kConnectionsMax = 1024;

struct Upload {
  int fd = -1;
  std::string name;
  EVP_MD_CTX* hash = EVP_MD_CTX_new();
  ~Upload() {
    EVP_MD_CTX_free(hash);
    if (fd >= 0) {
      ::close(fd);
    }
  }
};

/// Staged files in uploads/, blobs in blobs/<2 hex>/<hex>; the 256 directories exist and are open.
class Store {
 public:
  explicit Store(const std::string& root) : root_(root) {
    mkdir((root + "/uploads").c_str(), 0700);
    mkdir((root + "/blobs").c_str(), 0700);
    for (unsigned i = 0; i < directories_.size(); ++i) {
      const std::string path = fmt::format("{}/blobs/{:02x}", root, i);
      mkdir(path.c_str(), 0700);
      directories_.at(i) = open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    }
  }

  std::string begin() {
    const std::scoped_lock lock(mutex_);
    const std::string id = std::to_string(++last_);
    uploads_[id] = nullptr;  // The file is created by the first byte.
    return id;
  }

  /// The upload leaves the table while a request works on it.
  std::unique_ptr<Upload> take(const std::string& id) {
    std::unique_ptr<Upload> upload;
    {
      const std::scoped_lock lock(mutex_);
      const auto found = uploads_.find(id);
      if (found == uploads_.end()) {
        return nullptr;
      }
      upload = std::move(found->second);
      uploads_.erase(found);
    }
    return upload == nullptr ? create(id) : std::move(upload);
  }

  void put_back(const std::string& id, std::unique_ptr<Upload> upload) {
    const std::scoped_lock lock(mutex_);
    uploads_[id] = std::move(upload);
  }

  std::unique_ptr<Upload> create(const std::string& id) {
    auto upload = std::make_unique<Upload>();
    upload->name = root_ + "/uploads/" + id;
    upload->fd = open(upload->name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    EVP_DigestInit_ex(upload->hash, EVP_sha256(), nullptr);
    return upload->fd < 0 ? nullptr : std::move(upload);
  }

  bool commit(Upload& upload, std::string_view digest) {
    std::array<unsigned char, EVP_MAX_MD_SIZE> raw{};
    unsigned int size = 0;
    EVP_DigestFinal_ex(upload.hash, raw.data(), &size);
    const std::string hex = to_hex(std::as_bytes(std::span(raw.data(), size)));
    return digest == "sha256:" + hex && fdatasync(upload.fd) == 0 &&
           rename(upload.name.c_str(), path_of(hex).c_str()) == 0 &&
           fsync(directories_.at(raw[0])) == 0;
  }

  [[nodiscard]] std::string path_of(std::string_view hex) const {
    return root_ + "/blobs/" + std::string(hex.substr(0, 2)) + "/" + std::string(hex);
  }

 private:
  std::string root_;
  std::array<int, 256> directories_{};
  std::mutex mutex_;
  uint64_t last_ = 0;
  std::map<std::string, std::unique_ptr<Upload>> uploads_;
};

/// One connection, one thread, blocking calls.
class Connection {
 public:
  Connection(int fd, Store& store) : fd_(fd), store_(store), buffer_(kBufferSize) {}
  ~Connection() { ::close(fd_); }
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  void serve() {
    while (read_head() && answer()) {
    }
  }

 private:
  bool read_head() {
    for (;;) {
      const std::string_view seen(buffer_.data(), held_);
      const auto end = seen.find("\r\n\r\n");
      if (end != std::string_view::npos) {
        head_ = seen.substr(0, end + 2);
        held_ -= end + 4;
        std::copy_n(buffer_.begin() + static_cast<std::ptrdiff_t>(end) + 4, held_, buffer_.begin());
        length_ = content_length();
        return true;
      }
      const ssize_t got = held_ > kHeadSizeMax ? 0 : receive(kBufferSize - held_, 0);
      if (got <= 0) {
        return false;
      }
    }
  }

  [[nodiscard]] uint64_t content_length() const {
    constexpr std::string_view kName = "\r\nContent-Length: ";
    for (size_t at = head_.find("\r\n"); at + 2 < head_.size(); at = head_.find("\r\n", at + 2)) {
      if (strncasecmp(head_.c_str() + at, kName.data(), kName.size()) == 0) {
        return std::strtoull(head_.c_str() + at + kName.size(), nullptr, 10);
      }
    }
    return 0;
  }

  ssize_t receive(size_t size, int flags) {
    const ssize_t got = recv(fd_, buffer_.data() + held_, size, flags);
    held_ += got > 0 ? static_cast<size_t>(got) : 0;
    return got;
  }

  bool answer() {
    const std::string method = head_.substr(0, head_.find(' '));
    const auto path_at = method.size() + 1;
    const std::string path = head_.substr(path_at, head_.find(' ', path_at) - path_at);
    const auto digest_at = path.find("digest=");
    const std::string digest = digest_at == std::string::npos ? "" : path.substr(digest_at + 7);
    if (method == "POST" && digest.empty()) {
      return reply(202, "Location: /v2/u/blobs/uploads/" + store_.begin() + "\r\n");
    }
    if (method == "GET" || method == "HEAD") {
      return send_blob(path);
    }
    const std::string id = method == "POST" ? store_.begin() : upload_id(path);
    auto upload = store_.take(id);
    if (upload == nullptr || !take_body(*upload)) {
      return false;
    }
    if (method == "PATCH") {
      store_.put_back(id, std::move(upload));
      return reply(202, "Location: /v2/u/blobs/uploads/" + id + "\r\n");
    }
    if (!store_.commit(*upload, digest)) {
      return reply(400, "");
    }
    return reply(201, "Docker-Content-Digest: " + digest + "\r\n");
  }

  [[nodiscard]] static std::string upload_id(const std::string& path) {
    const auto end = std::min(path.find('?'), path.size());
    const auto begin = path.rfind('/', end);
    return begin == std::string::npos ? "" : path.substr(begin + 1, end - begin - 1);
  }

  bool take_body(Upload& upload) {
    for (uint64_t left = length_; left > 0;) {
      const size_t want = std::min<uint64_t>(left, kBufferSize);
      if (held_ < want && receive(want - held_, MSG_WAITALL) <= 0) {
        return false;
      }
      const size_t have = std::min(held_, want);
      EVP_DigestUpdate(upload.hash, buffer_.data(), have);
      if (::write(upload.fd, buffer_.data(), have) != static_cast<ssize_t>(have)) {
        return false;
      }
      held_ = 0;  // The driver never pipelines.
      left -= have;
    }
    return true;
  }

  bool send_blob(const std::string& path) {
    const auto at = path.rfind("sha256:");
    const bool known = at != std::string::npos;
    const int file = known ? open(store_.path_of(path.substr(at + 7)).c_str(), O_RDONLY) : -1;
    if (file < 0) {
      return reply(path == "/v2/" ? 200 : 404, "");
    }
    struct stat status{};
    fstat(file, &status);
    off_t sent = 0;
    bool good = send_text("HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(status.st_size) +
                          "\r\n\r\n");
    while (good && sent < status.st_size) {
      good = sendfile(fd_, file, &sent, static_cast<size_t>(status.st_size - sent)) > 0;
    }
    ::close(file);
    return good;
  }

  bool reply(int status, const std::string& fields) {
    return send_text("HTTP/1.1 " + std::to_string(status) + " Floor\r\n" + fields +
                     "Content-Length: 0\r\n\r\n");
  }

  bool send_text(const std::string& text) {
    return ::send(fd_, text.data(), text.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(text.size());
  }

  int fd_;
  Store& store_;
  std::vector<char> buffer_;
  size_t held_ = 0;
  std::string head_;
  uint64_t length_ = 0;
};

/// A thread for each open connection; those that ended are joined when the next one comes.
class Threads {
 public:
  void start(int fd, Store& store) {
    running_.remove_if([](const Entry& entry) { return entry.done.load(); });
    if (running_.size() >= kConnectionsMax) {
      ::close(fd);
      return;
    }
    auto& entry = running_.emplace_back();
    entry.thread = std::jthread([fd, &store, &entry] {
      Connection(fd, store).serve();
      entry.done = true;
    });
  }

 private:
  struct Entry {
    std::atomic<bool> done = false;
    std::jthread thread;
  };
  std::list<Entry> running_;
};

int fail(const char* why) {
  fmt::print(stderr, "bench_floor: {}\n", why);
  return 2;
}

bool parse_listen(const std::string& listen_at, sockaddr_in& into) {
  const auto colon = listen_at.find(':');
  if (colon == std::string::npos) {
    return false;
  }
  const auto port = parse_uint64(listen_at.substr(colon + 1));
  into.sin_family = AF_INET;
  into.sin_port = htons(static_cast<uint16_t>(port.value_or(0)));
  return port.has_value() && *port <= 65535 &&
         inet_pton(AF_INET, listen_at.substr(0, colon).c_str(), &into.sin_addr) == 1 &&
         ntohl(into.sin_addr.s_addr) >> 24U == 127;
}

int serve(const std::string& listen_at, const std::string& data) {
  sockaddr_in address{};
  if (!parse_listen(listen_at, address)) {
    return fail("--listen must be 127.x.y.z:port");
  }
  const int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const int on = 1;
  setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (bind(listener, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0 ||
      listen(listener, static_cast<int>(kConnectionsMax)) != 0) {
    return fail("cannot listen");
  }
  Store store(data);
  Threads threads;
  for (;;) {
    const int fd = accept4(listener, nullptr, nullptr, SOCK_CLOEXEC);
    if (fd >= 0) {
      setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
      threads.start(fd, store);
    }
  }
}

}  // namespace
}  // namespace roadstead::bench

int main(int argc, char** argv) {
  const std::vector<std::string> words(argv + 1, argv + argc);
  if (words.size() != 4 || words[0] != "--listen" || words[2] != "--data") {
    fmt::print(stderr, "usage: bench_floor --listen 127.0.0.1:PORT --data DIRECTORY\n");
    return 2;
  }
  return roadstead::bench::serve(words[1], words[3]);
}
