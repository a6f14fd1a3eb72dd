#include "db/internal/postgresql_values.h"

#include <charconv>
#include <span>
#include <string_view>

#include <libpq-fe.h>

#include "base/check.h"

namespace roadstead::db::internal {
namespace {

// pg_type.oid of what our statements return; the numbers are part of the protocol's stable catalog.
constexpr Oid kBool = 16;
constexpr Oid kInt8 = 20;
constexpr Oid kInt2 = 21;
constexpr Oid kInt4 = 23;
constexpr Oid kNumeric = 1700;

/// Big-endian, with its sign.
std::int64_t big_endian(std::string_view bytes) {
  CHECK(!bytes.empty() && bytes.size() <= sizeof(std::int64_t));
  std::uint64_t value = (static_cast<unsigned char>(bytes.front()) & 0x80U) != 0 ? ~0ULL : 0ULL;
  for (const char c : bytes) {
    value = value << 8U | static_cast<unsigned char>(c);
  }
  return static_cast<std::int64_t>(value);
}

/// The integer part of a numeric, which is what SUM makes of 64-bit numbers: count, weight, sign
/// and scale, then digits of base 10,000.
std::int64_t numeric(std::string_view bytes) {
  constexpr std::size_t kHeader = 8;
  constexpr std::int64_t kBase = 10'000;
  constexpr std::int64_t kNegative = 0x4000;
  CHECK(bytes.size() >= kHeader);
  const auto word = [&](std::size_t index) { return big_endian(bytes.substr(index * 2, 2)); };
  const std::int64_t digits = word(0);
  const std::int64_t weight = word(1);
  std::int64_t value = 0;
  for (std::int64_t i = 0; i <= weight; ++i) {
    value = value * kBase + (i < digits ? word(static_cast<std::size_t>(4 + i)) : 0);
  }
  return word(2) == kNegative ? -value : value;
}

std::int64_t decimal(std::string_view text) {
  std::int64_t value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

}  // namespace

PostgresqlRow::PostgresqlRow(const pg_result* result)
    : result_(result), columns_(PQnfields(result)) {}

std::string_view PostgresqlRow::raw(int column) const {
  CHECK(column >= 0 && column < columns_);
  return {PQgetvalue(result_, row_, column),
          static_cast<std::size_t>(PQgetlength(result_, row_, column))};
}

bool PostgresqlRow::is_null(int column) const {
  CHECK(column >= 0 && column < columns_);
  return PQgetisnull(result_, row_, column) != 0;
}

std::int64_t PostgresqlRow::integer(int column) const {
  const std::string_view bytes = raw(column);
  if (bytes.empty()) {
    return 0;
  }
  switch (PQftype(result_, column)) {
    case kInt8:
    case kInt4:
    case kInt2:
    case kBool:
      return big_endian(bytes);
    case kNumeric:
      return numeric(bytes);
    default:
      return decimal(bytes);
  }
}

std::string_view PostgresqlRow::text(int column) const {
  return raw(column);
}

struct PostgresqlParams::Adder {
  PostgresqlParams& self;

  void add(const char* value, std::size_t length, bool binary) const {
    self.values_.push_back(value);
    self.lengths_.push_back(static_cast<int>(length));
    self.formats_.push_back(binary ? 1 : 0);
  }
  void operator()(std::monostate) const { add(nullptr, 0, false); }
  void operator()(std::int64_t number) const {
    auto& text = self.numbers_.emplace_back();
    const auto end = std::to_chars(text.data(), text.data() + text.size() - 1, number);
    *end.ptr = '\0';
    add(text.data(), static_cast<std::size_t>(end.ptr - text.data()), false);
  }
  // In the binary format, whose length is told: a view need not end with a zero.
  void operator()(std::string_view text) const {
    add(text.data() == nullptr ? "" : text.data(), text.size(), true);
  }
  void operator()(std::span<const std::byte> bytes) const {
    add(bytes.empty() ? "" : reinterpret_cast<const char*>(bytes.data()), bytes.size(), true);
  }
};

PostgresqlParams::PostgresqlParams(Params params) {
  values_.reserve(params.size());
  lengths_.reserve(params.size());
  formats_.reserve(params.size());
  numbers_.reserve(params.size());  // Never grows: values_ points into it.
  for (const Param& param : params) {
    std::visit(Adder{*this}, param.get());
  }
}

}  // namespace roadstead::db::internal
