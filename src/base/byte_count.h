#pragma once

#include <compare>
#include <cstdint>

namespace roadstead {

/// A number of bytes, so that a size is not mistaken for a count.
struct ByteCount {
  std::uint64_t value = 0;
  auto operator<=>(const ByteCount&) const = default;
  friend constexpr ByteCount operator+(ByteCount a, ByteCount b) { return {a.value + b.value}; }
};

constexpr ByteCount operator""_KiB(unsigned long long n) {
  return {n << 10U};
}
constexpr ByteCount operator""_MiB(unsigned long long n) {
  return {n << 20U};
}
constexpr ByteCount operator""_GiB(unsigned long long n) {
  return {n << 30U};
}

}  // namespace roadstead
