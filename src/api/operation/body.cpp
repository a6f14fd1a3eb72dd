#include "api/operation/body.h"

#include <algorithm>
#include <utility>

namespace roadstead::api {
namespace {

std::size_t length_of(std::string_view text) {
  return static_cast<std::size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xC0) != 0x80; }));
}

std::string_view name_of(Type type) {
  switch (type) {
    case Type::kString:
    case Type::kTime:
      return "string";
    case Type::kInteger:
      return "int64";
    case Type::kBoolean:
      return "bool";
    case Type::kObject:
    case Type::kStringMap:
      return "object";
    case Type::kList:
    case Type::kIntegers:
      return "array";
  }
  return {};
}

Error unparsable(std::string_view body, std::string_view why) {
  std::string message = "parsing ";
  message.append(body).append(" body from \"\" failed, because ").append(why);
  return validation_error(message);
}

/// Checks one body; remembers where it is for the message.
class Checker {
 public:
  explicit Checker(std::string_view body) : body_(body) {}

  Result<void> object(const Schema& schema, json::Value value, const std::string& path) const {
    for (const Field& field : schema.fields) {
      const json::Value member = value[field.name];
      if (member.present() && !member.is_null()) {
        const std::string at =
            path.empty() ? std::string(field.name) : path + "." + std::string(field.name);
        TRY(field_value(field, member, at));
      }
    }
    return schema.any_texts ? map(value, path) : Result<void>();
  }

 private:
  [[nodiscard]] Error wrong_type(Type wanted, json::Value value, const std::string& path) const {
    std::string why = "json: cannot read ";
    why.append(value.type_name()).append(" into field ").append(path);
    why.append(" of type ").append(name_of(wanted));
    return unparsable(body_, why);
  }

  static bool has_type(Type type, json::Value value) {
    switch (type) {
      case Type::kString:
      case Type::kTime:
        return value.as_string().has_value();
      case Type::kInteger:
        return value.as_int().has_value();
      case Type::kBoolean:
        return value.as_bool().has_value();
      case Type::kObject:
      case Type::kStringMap:
        return value.is_object();
      case Type::kList:
      case Type::kIntegers:
        return value.is_array();
    }
    return false;
  }

  Result<void> field_value(const Field& field, json::Value value, const std::string& path) const {
    if (!has_type(field.type, value)) {
      return wrong_type(field.type, value, path);
    }
    switch (field.type) {
      case Type::kString:
        return text_length(field, *value.as_string(), path);
      case Type::kObject:
        return object(*field.schema, value, path);
      case Type::kStringMap:
        return map(value, path);
      case Type::kList:
      case Type::kIntegers:
        return list(field, value, path);
      case Type::kInteger:
      case Type::kBoolean:
      case Type::kTime:
        return {};
    }
    return {};
  }

  static Result<void> text_length(const Field& field, std::string_view text,
                                  const std::string& path) {
    if (field.length_max == 0 || length_of(text) <= field.length_max) {
      return {};
    }
    // Harbor says it twice.
    return validation_error("validation failure list:\n" + path + " in body should be at most " +
                            std::to_string(field.length_max) + " chars long");
  }

  Result<void> map(json::Value value, const std::string& path) const {
    for (std::size_t i = 0; i < value.size(); ++i) {
      const json::Value member = value.value_at(i);
      if (!member.as_string() && !member.is_null()) {
        const std::string prefix = path.empty() ? path : path + ".";
        return wrong_type(Type::kString, member, prefix + std::string(value.name_at(i)));
      }
    }
    return {};
  }

  Result<void> list(const Field& field, json::Value value, const std::string& path) const {
    Type element = Type::kString;
    if (field.type == Type::kIntegers) {
      element = Type::kInteger;
    } else if (field.schema != nullptr) {
      element = Type::kObject;
    }
    for (std::size_t i = 0; i < value.size(); ++i) {
      if (!has_type(element, value.at(i))) {
        return wrong_type(element, value.at(i), path);
      }
      if (element == Type::kObject) {
        TRY(object(*field.schema, value.at(i), path));
      }
    }
    return {};
  }

  std::string_view body_;
};

}  // namespace

Error validation_error(std::string_view what) {
  return {Code::kInvalid, Subject::kRequest, "validation failure list:\n" + std::string(what), {}};
}

bool Fields::has(std::string_view name) const {
  const json::Value value = object_[name];
  return value.present() && !value.is_null();
}

std::string Fields::text(std::string_view name) const {
  return std::string(object_[name].as_string().value_or(std::string_view{}));
}

std::int64_t Fields::integer(std::string_view name) const {
  return object_[name].as_int().value_or(0);
}

bool Fields::boolean(std::string_view name) const {
  return object_[name].as_bool().value_or(false);
}

std::optional<std::int64_t> Fields::maybe_integer(std::string_view name) const {
  return object_[name].as_int();
}

std::optional<std::string> Fields::maybe_text(std::string_view name) const {
  const auto text = object_[name].as_string();
  return text ? std::optional<std::string>(*text) : std::nullopt;
}

Fields Fields::object(std::string_view name) const {
  return Fields(object_[name]);
}

std::vector<Fields> Fields::objects(std::string_view name) const {
  const json::Value list = object_[name];
  const std::size_t count = list.is_array() ? list.size() : 0;
  std::vector<Fields> fields;
  fields.reserve(count);
  for (std::size_t i = 0; i < count; ++i) {
    fields.emplace_back(list.at(i));
  }
  return fields;
}

std::vector<std::pair<std::string, std::string>> Fields::texts() const {
  std::vector<std::pair<std::string, std::string>> all;
  for (std::size_t i = 0; i < (object_.is_object() ? object_.size() : 0); ++i) {
    if (const auto text = object_.value_at(i).as_string()) {
      all.emplace_back(object_.name_at(i), *text);
    }
  }
  return all;
}

Result<Body> Body::parse(std::string_view text, const Schema& schema, std::string_view name) {
  if (text.find_first_not_of(" \t\r\n") == std::string_view::npos) {
    return validation_error(std::string(name) + " in body is required");
  }
  auto document = json::Document::parse(text);
  if (!document) {
    return unparsable(name, document.error().message);
  }
  const json::Value root = document->root();
  if (!root.is_object() && !root.is_null()) {
    std::string why = "json: cannot read ";
    why.append(root.type_name()).append(" as ").append(schema.name);
    return unparsable(name, why);
  }
  TRY(Checker(name).object(schema, root, {}));
  return Body(std::move(*document));
}

}  // namespace roadstead::api
