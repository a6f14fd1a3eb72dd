#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace roadstead::bench {

/// Random bytes that many bodies share: contents differ only in their tail, so a run may push any
/// number of unique blobs without holding them in memory or hashing each from its start.
class SharedBlock {
 public:
  static constexpr size_t kSizeMax = size_t{16} << 20;

  /// A block for bodies of `body_size` bytes whose last `tail_size` bytes are their own.
  SharedBlock(uint64_t body_size, size_t tail_size);
  ~SharedBlock();
  SharedBlock(const SharedBlock&) = delete;
  SharedBlock& operator=(const SharedBlock&) = delete;

  [[nodiscard]] uint64_t prefix_size() const { return prefix_size_; }
  /// The longest contiguous piece of the prefix that starts at `offset` < prefix_size().
  [[nodiscard]] std::string_view piece_at(uint64_t offset) const;
  /// "sha256:…" of the prefix followed by `tail`; costs one block of SHA-256, not a whole body.
  [[nodiscard]] std::string digest_with(std::string_view tail) const;

 private:
  struct Midstate;
  uint64_t prefix_size_;
  std::string bytes_;
  std::unique_ptr<Midstate> midstate_;
};

/// A request body: a part of [prefix of a SharedBlock] + [tail]. Owns neither.
struct Body {
  const SharedBlock* block = nullptr;
  std::string_view tail;
  uint64_t begin = 0;
  uint64_t end = 0;

  [[nodiscard]] uint64_t size() const { return end - begin; }
  /// The contiguous bytes at `sent` bytes into this body; empty at its end.
  [[nodiscard]] std::string_view piece_at(uint64_t sent) const;
};

/// Incremental "sha256:<hex>".
class DigestOfStream {
 public:
  DigestOfStream();
  ~DigestOfStream();
  DigestOfStream(const DigestOfStream&) = delete;
  DigestOfStream& operator=(const DigestOfStream&) = delete;

  void restart();
  void append(std::string_view bytes);
  [[nodiscard]] std::string finish();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace roadstead::bench
