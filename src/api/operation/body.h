#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "api/operation/schema.h"
#include "base/result.h"
#include "json/json.h"

namespace roadstead::api {

/// A JSON object that was checked against its schema: every field that is present has its type, so
/// reading cannot fail. A field that is null counts as absent. A view; lives as long as the Body.
class Fields {
 public:
  Fields() = default;
  explicit Fields(json::Value object) : object_(object) {}

  [[nodiscard]] bool has(std::string_view name) const;
  /// Empty, 0 or false when absent.
  [[nodiscard]] std::string text(std::string_view name) const;
  [[nodiscard]] std::int64_t integer(std::string_view name) const;
  [[nodiscard]] bool boolean(std::string_view name) const;
  [[nodiscard]] std::optional<std::int64_t> maybe_integer(std::string_view name) const;
  [[nodiscard]] std::optional<std::string> maybe_text(std::string_view name) const;
  [[nodiscard]] Fields object(std::string_view name) const;
  [[nodiscard]] std::vector<Fields> objects(std::string_view name) const;
  /// Names and values of all members that are texts.
  [[nodiscard]] std::vector<std::pair<std::string, std::string>> texts() const;

 private:
  json::Value object_;
};

/// Of a request. `name` is what the API calls it in messages ("project in body is required").
class Body {
 public:
  /// Unknown fields are ignored. Errors: kInvalid + kRequest, in Harbor's form
  /// ("validation failure list:\n…").
  static Result<Body> parse(std::string_view text, const Schema& schema, std::string_view name);
  [[nodiscard]] Fields fields() const { return Fields(document_.root()); }

 private:
  explicit Body(json::Document document) : document_(std::move(document)) {}
  json::Document document_;
};

/// "validation failure list:\n" + what.
Error validation_error(std::string_view what);

}  // namespace roadstead::api
