// The low-level SHA-2 interface of OpenSSL is deprecated in favour of EVP, whose state cannot be
// saved. It runs the same assembly (SHA-NI where the processor has it).
#define OPENSSL_SUPPRESS_DEPRECATED

#include "crypto/hasher.h"

#include <algorithm>
#include <cstring>
#include <optional>

#include <openssl/crypto.h>
#include <openssl/hmac.h>
#include <openssl/md5.h>
#include <openssl/sha.h>

#include "base/check.h"
#include "base/text.h"

namespace roadstead::crypto {
namespace {

// What save() writes: v1:<algorithm>:<chaining words>:<bytes hashed>:<bytes of the open block>
constexpr std::string_view kFormat = "v1";
// SHA-256 counts bits in 64 bits. No blob comes near it, so SHA-512 gets the same bound.
constexpr std::uint64_t kLengthMax = std::uint64_t{1} << 60U;

// One algorithm of OpenSSL. The counters Nl and Nh hold bits; a Word holds half of them.
struct Sha256 {
  using Context = SHA256_CTX;
  using Word = std::uint32_t;
  static constexpr std::size_t kDigestSize = SHA256_DIGEST_LENGTH;
  static constexpr std::size_t kBlockSize = SHA256_CBLOCK;
  static void init(Context& c) { CHECK(SHA256_Init(&c) == 1); }
  static void update(Context& c, const void* data, std::size_t size) {
    CHECK(SHA256_Update(&c, data, size) == 1);
  }
  static void finish(Context& c, unsigned char* out) { CHECK(SHA256_Final(out, &c) == 1); }
  static std::byte* block(Context& c) { return reinterpret_cast<std::byte*>(c.data); }
};

struct Sha512 {
  using Context = SHA512_CTX;
  using Word = std::uint64_t;
  static constexpr std::size_t kDigestSize = SHA512_DIGEST_LENGTH;
  static constexpr std::size_t kBlockSize = SHA512_CBLOCK;
  static void init(Context& c) { CHECK(SHA512_Init(&c) == 1); }
  static void update(Context& c, const void* data, std::size_t size) {
    CHECK(SHA512_Update(&c, data, size) == 1);
  }
  static void finish(Context& c, unsigned char* out) { CHECK(SHA512_Final(out, &c) == 1); }
  static std::byte* block(Context& c) { return reinterpret_cast<std::byte*>(c.u.p); }
};

// The opaque bytes of a Hasher as the context they hold. Copied out and in, never aliased: 112 or
// 216 bytes a call are nothing beside the hashing of a chunk.
template <typename Sha, typename State>
typename Sha::Context load(const State& state) {
  typename Sha::Context context;
  static_assert(sizeof context == sizeof state.bytes);
  std::memcpy(&context, state.bytes.data(), sizeof context);
  return context;
}

template <typename Sha, typename State>
void store(State& state, const typename Sha::Context& context) {
  std::memcpy(state.bytes.data(), &context, sizeof context);
}

template <typename Sha>
std::uint64_t byte_length(const typename Sha::Context& c) {
  constexpr unsigned kWordBits = 8 * sizeof(typename Sha::Word);
  return (static_cast<std::uint64_t>(c.Nh) << (kWordBits - 3)) |
         (static_cast<std::uint64_t>(c.Nl) >> 3U);
}

template <typename Sha>
std::string digest_of(typename Sha::Context context) {
  std::array<unsigned char, Sha::kDigestSize> digest{};
  Sha::finish(context, digest.data());
  return to_hex(std::as_bytes(std::span(digest)));
}

template <typename Sha>
std::string words_to_hex(const typename Sha::Context& context) {
  std::array<std::byte, sizeof context.h> big_endian{};
  for (std::size_t i = 0; i < big_endian.size(); ++i) {
    constexpr std::size_t kSize = sizeof(typename Sha::Word);
    const auto shift = 8 * (kSize - 1 - i % kSize);
    big_endian[i] = static_cast<std::byte>((context.h[i / kSize] >> shift) & 0xFFU);
  }
  return to_hex(big_endian);
}

template <typename Sha>
std::string save_state(HashAlgorithm algorithm, typename Sha::Context context) {
  std::string out(kFormat);
  out += ':';
  out += to_string(algorithm);
  out += ':';
  out += words_to_hex<Sha>(context);
  out += ':';
  out += std::to_string(byte_length<Sha>(context));
  out += ':';
  out += to_hex(std::span(Sha::block(context), context.num));
  return out;
}

struct SavedState {
  HashAlgorithm algorithm;
  std::vector<std::byte> words;
  std::uint64_t length;
  std::vector<std::byte> block;
};

bool has_upper(std::string_view text) {
  return std::any_of(text.begin(), text.end(), is_upper);
}

std::optional<SavedState> read_state(std::string_view text) {
  const auto parts = text.size() <= 512 ? split(text, ':') : std::vector<std::string_view>{};
  if (parts.size() != 5 || parts[0] != kFormat || has_upper(text)) {
    return std::nullopt;
  }
  const bool is_256 = parts[1] == to_string(HashAlgorithm::kSha256);
  if (!is_256 && parts[1] != to_string(HashAlgorithm::kSha512)) {
    return std::nullopt;
  }
  auto words = from_hex(parts[2]);
  const auto length = parse_uint64(parts[3]);
  auto block = from_hex(parts[4]);
  if (!words || !length || !block) {
    return std::nullopt;
  }
  const bool canonical = std::to_string(*length) == parts[3];
  const std::size_t block_size = is_256 ? Sha256::kBlockSize : Sha512::kBlockSize;
  const std::size_t words_size = is_256 ? Sha256::kDigestSize : Sha512::kDigestSize;
  if (!canonical || *length > kLengthMax || words->size() != words_size ||
      block->size() != *length % block_size) {
    return std::nullopt;
  }
  return SavedState{is_256 ? HashAlgorithm::kSha256 : HashAlgorithm::kSha512, std::move(*words),
                    *length, std::move(*block)};
}

template <typename Sha>
typename Sha::Context restore(const SavedState& saved) {
  using Word = typename Sha::Word;
  typename Sha::Context context;
  Sha::init(context);
  for (std::size_t i = 0; i < 8; ++i) {
    Word word = 0;
    for (std::size_t k = 0; k < sizeof(Word); ++k) {
      word =
          static_cast<Word>(word << 8U) | std::to_integer<Word>(saved.words[i * sizeof(Word) + k]);
    }
    context.h[i] = word;
  }
  constexpr unsigned kWordBits = 8 * sizeof(Word);
  context.Nl = static_cast<Word>(saved.length << 3U);
  context.Nh = static_cast<Word>(saved.length >> (kWordBits - 3));
  context.num = static_cast<unsigned>(saved.block.size());
  std::copy(saved.block.begin(), saved.block.end(), Sha::block(context));
  return context;
}

}  // namespace

std::string_view to_string(HashAlgorithm algorithm) {
  return algorithm == HashAlgorithm::kSha256 ? "sha256" : "sha512";
}

std::size_t hex_size(HashAlgorithm algorithm) {
  return 2 * (algorithm == HashAlgorithm::kSha256 ? Sha256::kDigestSize : Sha512::kDigestSize);
}

Hasher::Hasher(HashAlgorithm algorithm) {
  if (algorithm == HashAlgorithm::kSha256) {
    Sha256::Context context;
    Sha256::init(context);
    store<Sha256>(state_.emplace<Sha256State>(), context);
  } else {
    Sha512::Context context;
    Sha512::init(context);
    store<Sha512>(state_.emplace<Sha512State>(), context);
  }
}

Result<Hasher> Hasher::resume(std::string_view state) {
  const auto saved = read_state(state);
  if (!saved) {
    return Error{Code::kInvalid, Subject::kNone, "not a saved hash state", {}};
  }
  Hasher hasher(saved->algorithm);
  if (auto* const small = std::get_if<Sha256State>(&hasher.state_)) {
    store<Sha256>(*small, restore<Sha256>(*saved));
  } else {
    store<Sha512>(std::get<Sha512State>(hasher.state_), restore<Sha512>(*saved));
  }
  return hasher;
}

HashAlgorithm Hasher::algorithm() const {
  return std::holds_alternative<Sha256State>(state_) ? HashAlgorithm::kSha256
                                                     : HashAlgorithm::kSha512;
}

void Hasher::update(std::span<const std::byte> bytes) {
  if (auto* const small = std::get_if<Sha256State>(&state_)) {
    auto context = load<Sha256>(*small);
    Sha256::update(context, bytes.data(), bytes.size());
    store<Sha256>(*small, context);
  } else {
    auto& large = std::get<Sha512State>(state_);
    auto context = load<Sha512>(large);
    Sha512::update(context, bytes.data(), bytes.size());
    store<Sha512>(large, context);
  }
}

std::uint64_t Hasher::length() const {
  if (const auto* const small = std::get_if<Sha256State>(&state_)) {
    return byte_length<Sha256>(load<Sha256>(*small));
  }
  return byte_length<Sha512>(load<Sha512>(std::get<Sha512State>(state_)));
}

std::string Hasher::save() const {
  if (const auto* const small = std::get_if<Sha256State>(&state_)) {
    return save_state<Sha256>(algorithm(), load<Sha256>(*small));
  }
  return save_state<Sha512>(algorithm(), load<Sha512>(std::get<Sha512State>(state_)));
}

std::string Hasher::hex_digest() const {
  if (const auto* const small = std::get_if<Sha256State>(&state_)) {
    return digest_of<Sha256>(load<Sha256>(*small));
  }
  return digest_of<Sha512>(load<Sha512>(std::get<Sha512State>(state_)));
}

std::string hex_digest(HashAlgorithm algorithm, std::string_view text) {
  Hasher hasher(algorithm);
  hasher.update(bytes_of(text));
  return hasher.hex_digest();
}

std::string hmac_sha256(std::string_view key, std::string_view text) {
  std::array<unsigned char, SHA256_DIGEST_LENGTH> mac{};
  CHECK(key.size() <= std::size_t{1} << 20U);
  CHECK(HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()),
             reinterpret_cast<const unsigned char*>(text.data()), text.size(), mac.data(),
             nullptr) != nullptr);
  return std::string(text_of(std::as_bytes(std::span(mac))));
}

std::string md5(std::string_view text) {
  std::array<unsigned char, MD5_DIGEST_LENGTH> digest{};
  CHECK(MD5(reinterpret_cast<const unsigned char*>(text.data()), text.size(), digest.data()) !=
        nullptr);
  return std::string(text_of(std::as_bytes(std::span(digest))));
}

bool equal_in_constant_time(std::string_view a, std::string_view b) {
  return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

}  // namespace roadstead::crypto
