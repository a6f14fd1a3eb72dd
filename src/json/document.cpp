#include <algorithm>
#include <cmath>

#include <boost/json/monotonic_resource.hpp>
#include <boost/json/parser.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>

#include "base/check.h"
#include "json/json.h"

namespace roadstead::json {
namespace {

namespace bj = boost::json;

const bj::value& as_node(const void* node) {
  return *static_cast<const bj::value*>(node);
}

std::string_view view(const bj::string_view& text) {
  return {text.data(), text.size()};
}

Error malformed(const bj::error_code& error, std::size_t offset) {
  return {Code::kInvalid,
          Subject::kRequest,
          "malformed JSON at byte " + std::to_string(offset) + ": " + error.message(),
          {}};
}

// The parser makes infinities of numbers beyond double. As deep as the document at most.
bool is_finite(const bj::value& node) {
  if (node.is_array()) {
    const auto& elements = node.get_array();
    return std::all_of(elements.begin(), elements.end(), is_finite);
  }
  if (node.is_object()) {
    const auto& members = node.get_object();
    return std::all_of(members.begin(), members.end(),
                       [](const auto& member) { return is_finite(member.value()); });
  }
  return !node.is_double() || std::isfinite(node.get_double());
}

}  // namespace

bool Value::is_null() const {
  return present() && as_node(node_).is_null();
}

bool Value::is_object() const {
  return present() && as_node(node_).is_object();
}

bool Value::is_array() const {
  return present() && as_node(node_).is_array();
}

std::optional<std::string_view> Value::as_string() const {
  if (!present() || !as_node(node_).is_string()) {
    return std::nullopt;
  }
  return view(as_node(node_).get_string());
}

std::optional<std::int64_t> Value::as_int() const {
  // An uint64 is beyond int64 here: the parser prefers int64 where the number fits.
  if (!present() || !as_node(node_).is_int64()) {
    return std::nullopt;
  }
  return as_node(node_).get_int64();
}

std::optional<double> Value::as_double() const {
  if (!present() || !as_node(node_).is_number()) {
    return std::nullopt;
  }
  const bj::value& node = as_node(node_);
  if (node.is_int64()) {
    return static_cast<double>(node.get_int64());
  }
  if (node.is_uint64()) {
    return static_cast<double>(node.get_uint64());
  }
  return node.get_double();
}

std::optional<bool> Value::as_bool() const {
  if (!present() || !as_node(node_).is_bool()) {
    return std::nullopt;
  }
  return as_node(node_).get_bool();
}

Value Value::operator[](std::string_view name) const {
  if (!is_object()) {
    return {};
  }
  return Value(as_node(node_).get_object().if_contains({name.data(), name.size()}));
}

std::size_t Value::size() const {
  if (is_array()) {
    return as_node(node_).get_array().size();
  }
  return is_object() ? as_node(node_).get_object().size() : 0;
}

Value Value::at(std::size_t index) const {
  CHECK(is_array() && index < size());
  return Value(&as_node(node_).get_array()[index]);
}

std::string_view Value::name_at(std::size_t index) const {
  CHECK(is_object() && index < size());
  return view(as_node(node_).get_object().begin()[index].key());
}

Value Value::value_at(std::size_t index) const {
  CHECK(is_object() && index < size());
  return Value(&as_node(node_).get_object().begin()[index].value());
}

std::string_view Value::type_name() const {
  if (!present()) {
    return "nothing";
  }
  switch (as_node(node_).kind()) {
    case bj::kind::null:
      return "null";
    case bj::kind::bool_:
      return "boolean";
    case bj::kind::string:
      return "string";
    case bj::kind::array:
      return "array";
    case bj::kind::object:
      return "object";
    case bj::kind::int64:
    case bj::kind::uint64:
    case bj::kind::double_:
      break;
  }
  return "number";
}

std::string Value::to_text() const {
  CHECK(present());
  return bj::serialize(as_node(node_));
}

struct Document::Impl {
  // Everything is freed at once, with the document.
  bj::monotonic_resource memory;
  bj::value root;
};

Document::Document(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Document::Document(Document&&) noexcept = default;
Document& Document::operator=(Document&&) noexcept = default;
Document::~Document() = default;

Result<Document> Document::parse(std::string_view text, const Limits& limits) {
  if (text.size() > limits.size_max) {
    return Error{Code::kTooLarge,
                 Subject::kRequest,
                 "JSON text exceeds " + std::to_string(limits.size_max) + " bytes",
                 {}};
  }
  bj::parse_options options;
  options.max_depth = limits.depth_max;
  bj::parser parser(bj::storage_ptr(), options);
  auto impl = std::make_unique<Impl>();
  parser.reset(&impl->memory);
  bj::error_code error;
  const std::size_t consumed = parser.write(text.data(), text.size(), error);
  if (error) {
    return malformed(error, consumed);
  }
  // Same memory on both sides, so this moves; an assignment would copy.
  std::destroy_at(&impl->root);
  std::construct_at(&impl->root, parser.release());
  if (!is_finite(impl->root)) {
    return Error{Code::kInvalid, Subject::kRequest, "JSON number out of range", {}};
  }
  return Document(std::move(impl));
}

Value Document::root() const {
  return Value(&impl_->root);
}

}  // namespace roadstead::json
