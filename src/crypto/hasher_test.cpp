#include "crypto/hasher.h"

#include <random>

#include <gtest/gtest.h>

#include "base/text.h"

namespace roadstead::crypto {
namespace {

constexpr HashAlgorithm kBoth[] = {HashAlgorithm::kSha256, HashAlgorithm::kSha512};

std::string random_text(std::mt19937& random, std::size_t size) {
  std::string text(size, '\0');
  for (char& c : text) {
    c = static_cast<char>(random());
  }
  return text;
}

// FIPS 180-4 examples as published by NIST.
TEST(Hasher, NistVectors) {
  struct Case {
    std::string text;
    std::string sha256;
    std::string sha512;
  };
  const Case cases[] = {
      {"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
       "cf83e1357eefb8bdf1542850d66d8007d620e4050b5715dc83f4a921d36ce9ce"
       "47d0d13c5d85f2b0ff8318d2877eec2f63b931bd47417a81a538327af927da3e"},
      {"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
       "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"
       "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f"},
      {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
       "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1",
       "204a8fc6dda82f0a0ced7beb8e08a41657c16ef468b228a8279be331a703c335"
       "96fd15c13b1b07f9aa1d3bea57789ca031ad85c7a71dd70354ec631238ca3445"},
      {std::string(1'000'000, 'a'),
       "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0",
       "e718483d0ce769644e2e42c7bc15b4638e1f98b13b2044285632a803afa973eb"
       "de0ff244877ea60a4cb0432ce577c31beb009c5c2c49aa2e4eadb217ad8cc09b"},
  };
  for (const Case& c : cases) {
    EXPECT_EQ(hex_digest(HashAlgorithm::kSha256, c.text), c.sha256);
    EXPECT_EQ(hex_digest(HashAlgorithm::kSha512, c.text), c.sha512);
  }
}

TEST(Hasher, SavedStateContinuesAtEveryBoundary) {
  std::mt19937 random(7);
  const std::string text = random_text(random, 300);
  for (const auto algorithm : kBoth) {
    for (std::size_t cut = 0; cut <= text.size(); ++cut) {
      Hasher first(algorithm);
      first.update(bytes_of(std::string_view(text).substr(0, cut)));
      auto second = Hasher::resume(first.save());
      ASSERT_TRUE(second) << cut;
      EXPECT_EQ(second->save(), first.save());
      EXPECT_EQ(second->length(), cut);
      EXPECT_EQ(second->algorithm(), algorithm);
      second->update(bytes_of(std::string_view(text).substr(cut)));
      EXPECT_EQ(second->hex_digest(), hex_digest(algorithm, text)) << cut;
      EXPECT_EQ(first.length(), cut) << "the original must not move";
    }
  }
}

TEST(Hasher, RandomSplitsWithSavesGiveTheSameDigest) {
  std::mt19937 random(11);
  for (int round = 0; round < 200; ++round) {
    const auto algorithm = kBoth[round % 2];
    const std::string text = random_text(random, random() % 5000);
    Hasher hasher(algorithm);
    std::string_view rest = text;
    while (!rest.empty()) {
      const std::size_t n = 1 + random() % rest.size();
      hasher.update(bytes_of(rest.substr(0, n)));
      rest.remove_prefix(n);
      (void)hasher.hex_digest();  // Must leave the state alone.
      hasher = Hasher::resume(hasher.save()).value();
    }
    EXPECT_EQ(hasher.hex_digest(), hex_digest(algorithm, text));
  }
}

TEST(Hasher, ACopyContinuesOnItsOwn) {
  Hasher a(HashAlgorithm::kSha256);
  a.update(bytes_of("ab"));
  Hasher b = a;
  b.update(bytes_of("c"));
  EXPECT_EQ(b.hex_digest(), hex_digest(HashAlgorithm::kSha256, "abc"));
  EXPECT_EQ(a.hex_digest(), hex_digest(HashAlgorithm::kSha256, "ab"));
}

// The text may lie in a database for days and be read by a newer program: its form is a contract.
TEST(Hasher, SavedFormIsStable) {
  Hasher hasher(HashAlgorithm::kSha256);
  hasher.update(bytes_of("abc"));
  EXPECT_EQ(hasher.save(),
            "v1:sha256:6a09e667bb67ae853c6ef372a54ff53a510e527f9b05688c1f83d9ab5be0cd19:3:616263");
}

TEST(Hasher, LengthsBeyond32BitsOfBitsSurvive) {
  Hasher hasher(HashAlgorithm::kSha256);
  std::string state = hasher.save();
  state.replace(state.rfind(":0:"), 3, ":1099511627776:");  // 1 TiB
  EXPECT_EQ(Hasher::resume(state)->length(), std::uint64_t{1} << 40U);
  EXPECT_EQ(Hasher::resume(state)->save(), state);
}

TEST(Hasher, ResumeRefusesWhatSaveDidNotWrite) {
  Hasher hasher(HashAlgorithm::kSha256);
  hasher.update(bytes_of("abc"));
  const std::string good = hasher.save();
  const auto with = [&](std::string_view from, std::string_view to) {
    std::string text = good;
    text.replace(text.find(from), from.size(), to);
    return text;
  };
  const std::string bad[] = {
      "",
      good + ":",
      good.substr(0, good.size() - 1),
      good + "00",
      " " + good,
      with("v1", "v2"),
      with("sha256", "sha512"),
      with("sha256", "md5"),
      with(":3:", ":03:"),
      with(":3:", ":4:"),
      with(":3:", ":-3:"),
      with(":3:", ":18446744073709551555:"),
      with("6a09", "6A09"),
      with("6a09", "6a0"),
      with("6a09", "6x09"),
      std::string(100'000, 'a'),
      std::string(100'000, ':'),
  };
  for (const auto& text : bad) {
    const auto result = Hasher::resume(text);
    ASSERT_FALSE(result) << text.substr(0, 100);
    EXPECT_EQ(result.error().code, Code::kInvalid);
  }
}

// RFC 4231, test cases 1, 2 and 6.
TEST(Hmac, Rfc4231Vectors) {
  const auto hex = [](std::string_view key, std::string_view text) {
    return to_hex(bytes_of(hmac_sha256(key, text)));
  };
  EXPECT_EQ(hex(std::string(20, '\x0b'), "Hi There"),
            "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
  EXPECT_EQ(hex("Jefe", "what do ya want for nothing?"),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
  EXPECT_EQ(hex(std::string(131, '\xaa'), "Test Using Larger Than Block-Size Key - Hash Key First"),
            "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
  EXPECT_EQ(hmac_sha256("", "").size(), 32U);
}

TEST(EqualInConstantTime, ComparesTexts) {
  EXPECT_TRUE(equal_in_constant_time("", ""));
  EXPECT_TRUE(equal_in_constant_time("abc", "abc"));
  EXPECT_FALSE(equal_in_constant_time("abc", "abd"));
  EXPECT_FALSE(equal_in_constant_time("abc", "ab"));
}

}  // namespace
}  // namespace roadstead::crypto
