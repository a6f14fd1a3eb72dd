#include "push.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

namespace roadstead::bench {
namespace {

/// What follows scheme and host in a Location; an absolute one must name our own host.
std::string path_of(const std::string& location) {
  const auto scheme = location.find("://");
  if (scheme == std::string::npos) {
    return location;
  }
  const auto slash = location.find('/', scheme + 3);
  return slash == std::string::npos ? "/" : location.substr(slash);
}

class PushSession final : public Session {
 public:
  explicit PushSession(const PushWorkload& workload)
      : workload_(workload), options_(workload.options()) {}

  Step begin(uint64_t operation) override {
    tail_ = workload_.tail_of(operation);
    digest_ = workload_.digest_of(operation);
    offset_ = 0;
    const std::string base = "/v2/" + options_.repository + "/blobs/uploads/";
    if (options_.mode == PushMode::kPost) {
      stage_ = Stage::kCommit;
      return send("POST", base + "?digest=" + digest_, whole(), "");
    }
    stage_ = Stage::kOpen;
    return send("POST", base, Body{}, "");
  }

  Step next(const Response& last) override {
    const int expected = stage_ == Stage::kCommit ? 201 : 202;
    if (last.status != expected) {
      return Step::failed("answered " + std::to_string(last.status) + " instead of " +
                          std::to_string(expected));
    }
    if (stage_ == Stage::kCommit) {
      const bool other = !last.content_digest.empty() && last.content_digest != digest_;
      return other ? Step::failed("stored under another digest") : Step::done();
    }
    if (last.location.empty()) {
      return Step::failed("no Location in the answer");
    }
    location_ = path_of(last.location);
    return offset_ < options_.size && options_.mode != PushMode::kMono ? patch() : commit();
  }

  [[nodiscard]] uint64_t payload() const override { return options_.size; }

 private:
  enum class Stage { kOpen, kPatch, kCommit };

  [[nodiscard]] Body whole() const { return Body{&workload_.block(), tail_, 0, options_.size}; }

  Step patch() {
    Body body = whole();
    std::string range;
    body.begin = offset_;
    if (options_.mode == PushMode::kChunk) {
      body.end = std::min(options_.size, offset_ + options_.chunk_size);
      range = "Content-Range: " + std::to_string(body.begin) + "-" + std::to_string(body.end - 1) +
              "\r\n";
    }
    offset_ = body.end;
    stage_ = Stage::kPatch;
    return send("PATCH", location_, body, range);
  }

  Step commit() {
    stage_ = Stage::kCommit;
    const char* glue = location_.find('?') == std::string::npos ? "?" : "&";
    const Body rest = options_.mode == PushMode::kMono ? whole() : Body{};
    return send("PUT", location_ + glue + "digest=" + digest_, rest, "");
  }

  Step send(const char* method, const std::string& path, const Body& body,
            const std::string& extra) {
    head_ = std::string(method) + " " + path + " HTTP/1.1\r\nHost: " + options_.host + "\r\n" +
            options_.fields + extra + "Content-Type: application/octet-stream\r\nContent-Length: " +
            std::to_string(body.size()) + "\r\n\r\n";
    Request request;
    request.head = head_;
    request.body = body;
    return Step::send(request);
  }

  const PushWorkload& workload_;
  const PushOptions& options_;
  Stage stage_ = Stage::kOpen;
  uint64_t offset_ = 0;
  std::string tail_;
  std::string digest_;
  std::string location_;
  std::string head_;
};

class TagsSession final : public Session {
 public:
  explicit TagsSession(const TagsOptions& options) : options_(options) {}

  Step begin(uint64_t operation) override {
    head_ = fmt::format(
        "PUT /v2/{}/manifests/t{:07} HTTP/1.1\r\nHost: {}\r\n{}Content-Type: {}\r\n"
        "Content-Length: {}\r\n\r\n",
        options_.repository, operation, options_.host, options_.fields, options_.media_type,
        options_.manifest.size());
    Request request;
    request.head = head_;
    request.body = Body{nullptr, options_.manifest, 0, options_.manifest.size()};
    return Step::send(request);
  }

  Step next(const Response& last) override {
    return last.status == 201 ? Step::done()
                              : Step::failed("answered " + std::to_string(last.status));
  }

  [[nodiscard]] uint64_t payload() const override { return options_.manifest.size(); }

 private:
  const TagsOptions& options_;
  std::string head_;
};

}  // namespace

PushWorkload::PushWorkload(PushOptions options)
    : options_(std::move(options)), block_(options_.size, kTailSize) {}

std::unique_ptr<Session> PushWorkload::session(int /*connection*/) {
  return std::make_unique<PushSession>(*this);
}

std::string PushWorkload::tail_of(uint64_t operation) const {
  std::string tail = std::to_string(operation) + "-" + options_.salt + "-";
  tail.resize(std::min<uint64_t>(kTailSize, options_.size), '.');
  return tail;
}

std::string PushWorkload::digest_of(uint64_t operation) const {
  return block_.digest_with(tail_of(operation));
}

std::unique_ptr<Session> TagsWorkload::session(int /*connection*/) {
  return std::make_unique<TagsSession>(options_);
}

}  // namespace roadstead::bench
