#include "content.h"

#include <algorithm>
#include <array>
#include <random>
#include <span>

#include <openssl/evp.h>

#include "base/text.h"

namespace roadstead::bench {
namespace {

struct FreeContext {
  void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
};
using Context = std::unique_ptr<EVP_MD_CTX, FreeContext>;

std::string finish_sha256(EVP_MD_CTX* context) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> raw{};
  unsigned int size = 0;
  EVP_DigestFinal_ex(context, raw.data(), &size);
  return "sha256:" + to_hex(std::as_bytes(std::span(raw.data(), size)));
}

}  // namespace

struct SharedBlock::Midstate {
  Context context{EVP_MD_CTX_new()};
};

SharedBlock::SharedBlock(uint64_t body_size, size_t tail_size)
    : prefix_size_(body_size > tail_size ? body_size - tail_size : 0),
      midstate_(std::make_unique<Midstate>()) {
  bytes_.resize(std::min<uint64_t>(prefix_size_, kSizeMax));
  std::mt19937_64 random{std::random_device{}()};
  for (size_t i = 0; i + 8 <= bytes_.size(); i += 8) {
    const uint64_t word = random();
    bytes_.replace(i, 8, reinterpret_cast<const char*>(&word), 8);
  }
  EVP_DigestInit_ex(midstate_->context.get(), EVP_sha256(), nullptr);
  for (uint64_t offset = 0; offset < prefix_size_;) {
    const auto piece = piece_at(offset);
    EVP_DigestUpdate(midstate_->context.get(), piece.data(), piece.size());
    offset += piece.size();
  }
}

SharedBlock::~SharedBlock() = default;

std::string_view SharedBlock::piece_at(uint64_t offset) const {
  const uint64_t within = offset % bytes_.size();
  const uint64_t size = std::min<uint64_t>(bytes_.size() - within, prefix_size_ - offset);
  return std::string_view(bytes_).substr(within, size);
}

std::string SharedBlock::digest_with(std::string_view tail) const {
  const Context copy{EVP_MD_CTX_new()};
  EVP_MD_CTX_copy_ex(copy.get(), midstate_->context.get());
  EVP_DigestUpdate(copy.get(), tail.data(), tail.size());
  return finish_sha256(copy.get());
}

std::string_view Body::piece_at(uint64_t sent) const {
  const uint64_t offset = begin + sent;
  if (offset >= end) {
    return {};
  }
  const uint64_t prefix = block == nullptr ? 0 : block->prefix_size();
  if (offset < prefix) {
    const auto piece = block->piece_at(offset);
    return piece.substr(0, std::min<uint64_t>(piece.size(), end - offset));
  }
  return tail.substr(offset - prefix, end - offset);
}

struct DigestOfStream::State {
  Context context{EVP_MD_CTX_new()};
};

DigestOfStream::DigestOfStream() : state_(std::make_unique<State>()) {
  restart();
}
DigestOfStream::~DigestOfStream() = default;

void DigestOfStream::restart() {
  EVP_DigestInit_ex(state_->context.get(), EVP_sha256(), nullptr);
}

void DigestOfStream::append(std::string_view bytes) {
  EVP_DigestUpdate(state_->context.get(), bytes.data(), bytes.size());
}

std::string DigestOfStream::finish() {
  return finish_sha256(state_->context.get());
}

}  // namespace roadstead::bench
