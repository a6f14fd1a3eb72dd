#include "fetch.h"

#include <utility>

namespace roadstead::bench {
namespace {

constexpr size_t kSmall = size_t{64} << 10;

class FetchSession final : public Session, public ResponseReader::Sink {
 public:
  FetchSession(const FetchOptions& options, const std::vector<std::string>& heads)
      : options_(options), heads_(heads) {}

  Step begin(uint64_t operation) override {
    hashing_ = !options_.digest.empty() && (!verified_ || options_.every_digest);
    if (hashing_) {
      digest_.restart();
    }
    const bool one_path = heads_.size() == 1;
    compare_ = one_path && small_ && !options_.varies;
    Request request;
    request.head = heads_[operation % heads_.size()];
    request.is_head = options_.method == "HEAD";
    request.keep = compare_ ? Keep::kBody : Keep::kNothing;
    request.sink = hashing_ ? this : nullptr;
    return Step::send(request);
  }

  Step next(const Response& last) override {
    if (last.status != options_.status) {
      return Step::failed("answered " + std::to_string(last.status));
    }
    if (options_.length >= 0 && last.body_size != static_cast<uint64_t>(options_.length)) {
      return Step::failed("body of " + std::to_string(last.body_size) + " bytes");
    }
    if (hashing_ && digest_.finish() != options_.digest) {
      return Step::failed("body has another digest");
    }
    verified_ = true;
    if (compare_ && first_body_.empty()) {
      first_body_ = last.body;
    } else if (compare_ && first_body_ != last.body) {
      return Step::failed("body differs from the first one");
    }
    small_ = last.body_size <= kSmall;
    payload_ = last.body_size;
    return Step::done();
  }

  [[nodiscard]] uint64_t payload() const override { return payload_; }
  void on_body(std::string_view bytes) override { digest_.append(bytes); }

 private:
  const FetchOptions& options_;
  const std::vector<std::string>& heads_;
  DigestOfStream digest_;
  std::string first_body_;
  uint64_t payload_ = 0;
  bool verified_ = false;
  bool hashing_ = false;
  bool compare_ = false;
  bool small_ = false;
};

}  // namespace

FetchWorkload::FetchWorkload(FetchOptions options) : options_(std::move(options)) {
  for (const auto& path : options_.paths) {
    heads_.push_back(options_.method + " " + path + " HTTP/1.1\r\nHost: " + options_.host + "\r\n" +
                     options_.fields + "\r\n");
  }
}

std::unique_ptr<Session> FetchWorkload::session(int /*connection*/) {
  return std::make_unique<FetchSession>(options_, heads_);
}

}  // namespace roadstead::bench
