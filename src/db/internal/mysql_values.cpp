#include "db/internal/mysql_values.h"

#include <charconv>
#include <cstring>

#include <mysql.h>

#include "base/check.h"

namespace roadstead::db::internal {
namespace {

/// What SUM makes of 64-bit numbers is a decimal; the library makes a number of it again.
bool is_number(enum_field_types type) {
  switch (type) {
    case MYSQL_TYPE_TINY:
    case MYSQL_TYPE_SHORT:
    case MYSQL_TYPE_INT24:
    case MYSQL_TYPE_LONG:
    case MYSQL_TYPE_LONGLONG:
    case MYSQL_TYPE_YEAR:
    case MYSQL_TYPE_DECIMAL:
    case MYSQL_TYPE_NEWDECIMAL:
    case MYSQL_TYPE_FLOAT:
    case MYSQL_TYPE_DOUBLE:
      return true;
    default:
      return false;
  }
}

}  // namespace

struct MysqlParams::Adder {
  MysqlParams& self;

  MYSQL_BIND& add(enum_field_types type) const {
    MYSQL_BIND bind;
    std::memset(&bind, 0, sizeof(bind));
    bind.buffer_type = type;
    return self.binds_.emplace_back(bind);
  }
  // The library reads through a pointer that it could write to, and does not.
  void add_bytes(enum_field_types type, const void* data, std::size_t size) const {
    static constexpr char kNothing[1] = {};
    MYSQL_BIND& bind = add(type);
    bind.buffer = const_cast<void*>(data == nullptr ? kNothing : data);
    bind.buffer_length = size;
    bind.length_value = size;
  }
  void operator()(std::monostate) const { add(MYSQL_TYPE_NULL); }
  void operator()(std::int64_t number) const {
    self.numbers_.push_back(number);
    add(MYSQL_TYPE_LONGLONG).buffer = &self.numbers_.back();
  }
  void operator()(std::string_view text) const {
    add_bytes(MYSQL_TYPE_STRING, text.data(), text.size());
  }
  void operator()(std::span<const std::byte> bytes) const {
    add_bytes(MYSQL_TYPE_BLOB, bytes.data(), bytes.size());
  }
};

MysqlParams::MysqlParams(Params params, std::span<const std::uint16_t> order) {
  binds_.reserve(order.size());
  numbers_.reserve(order.size());  // Never grows: the binds point into it.
  for (const std::uint16_t index : order) {
    std::visit(Adder{*this}, params[index].get());
  }
  for (MYSQL_BIND& bind : binds_) {
    bind.length = &bind.length_value;
  }
}

MysqlParams::~MysqlParams() = default;

bool MysqlParams::bind_to(st_mysql_stmt* statement) {
  return binds_.empty() || mysql_stmt_bind_param(statement, binds_.data()) == 0;
}

struct MysqlRows::Column {
  bool number = false;
  std::int64_t value = 0;
  unsigned long size = 0;
  my_bool null = 0;
  my_bool cut = 0;
};

bool MysqlRows::fetch(st_mysql_stmt* statement) {
  columns_ = mysql_stmt_field_count(statement);
  if (columns_ == 0) {
    return true;
  }
  const MYSQL_FIELD* const fields = mariadb_stmt_fetch_fields(statement);
  std::vector<Column> columns(columns_);
  std::vector<MYSQL_BIND> binds(columns_);
  std::memset(binds.data(), 0, binds.size() * sizeof(MYSQL_BIND));
  for (std::size_t i = 0; i < columns_; ++i) {
    Column& column = columns[i];
    MYSQL_BIND& bind = binds[i];
    column.number = is_number(fields[i].type);
    bind.buffer_type = column.number ? MYSQL_TYPE_LONGLONG : MYSQL_TYPE_BLOB;
    // A text of any length is fetched when its length is known.
    bind.buffer = column.number ? &column.value : nullptr;
    bind.buffer_length = column.number ? sizeof(column.value) : 0;
    bind.length = &column.size;
    bind.is_null = &column.null;
    bind.error = &column.cut;
  }
  if (mysql_stmt_bind_result(statement, binds.data()) != 0) {
    return false;
  }
  for (;;) {
    const int status = mysql_stmt_fetch(statement);
    if (status == MYSQL_NO_DATA) {
      break;
    }
    if ((status != 0 && status != MYSQL_DATA_TRUNCATED) || !fetch_row(statement, columns)) {
      return false;
    }
  }
  mysql_stmt_free_result(statement);
  return true;
}

bool MysqlRows::fetch_row(st_mysql_stmt* statement, std::vector<Column>& columns) {
  for (std::size_t i = 0; i < columns.size(); ++i) {
    const Column& column = columns[i];
    if (column.null != 0) {
      cells_.push_back({});
      continue;
    }
    if (column.number) {
      cells_.push_back({Kind::kNumber, column.value, 0});
      continue;
    }
    const std::size_t begin = data_.size();
    cells_.push_back({Kind::kText, static_cast<std::int64_t>(begin), column.size});
    if (column.size == 0) {
      continue;
    }
    data_.resize(begin + column.size);
    MYSQL_BIND bind;
    std::memset(&bind, 0, sizeof(bind));
    bind.buffer_type = MYSQL_TYPE_BLOB;
    bind.buffer = data_.data() + begin;
    bind.buffer_length = column.size;
    if (mysql_stmt_fetch_column(statement, &bind, static_cast<unsigned>(i), 0) != 0) {
      return false;
    }
  }
  return true;
}

const MysqlRows::Cell& MysqlRows::cell(int column) const {
  CHECK(column >= 0 && static_cast<std::size_t>(column) < columns_);
  return cells_[first_cell_ + static_cast<std::size_t>(column)];
}

bool MysqlRows::is_null(int column) const {
  return cell(column).kind == Kind::kNull;
}

std::int64_t MysqlRows::integer(int column) const {
  const Cell& found = cell(column);
  if (found.kind != Kind::kText) {
    return found.number;
  }
  std::int64_t value = 0;
  const std::string_view digits = text(column);
  std::from_chars(digits.data(), digits.data() + digits.size(), value);
  return value;
}

std::string_view MysqlRows::text(int column) const {
  const Cell& found = cell(column);
  CHECK(found.kind != Kind::kNumber);
  return found.kind == Kind::kNull
             ? std::string_view()
             : std::string_view(data_).substr(static_cast<std::size_t>(found.number), found.size);
}

}  // namespace roadstead::db::internal
