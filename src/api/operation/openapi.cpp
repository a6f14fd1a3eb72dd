#include "api/operation/openapi.h"

#include <algorithm>
#include <map>
#include <vector>

#include "api/operation/internal/operation_endpoint.h"
#include "base/text.h"
#include "json/json.h"

namespace roadstead::api {
namespace {

using Schemas = std::map<std::string_view, const Schema*>;

void collect(const Schema* schema, Schemas& schemas) {
  if (schema == nullptr || !schemas.emplace(schema->name, schema).second) {
    return;
  }
  for (const Field& field : schema->fields) {
    collect(field.schema, schemas);
  }
}

void write_reference(json::Writer& w, std::string_view schema) {
  w.begin_object();
  w.member("$ref", "#/components/schemas/" + std::string(schema));
  w.end_object();
}

/// "type" and "format" of a scalar.
void write_scalar(json::Writer& w, Type type) {
  switch (type) {
    case Type::kString:
      w.member("type", "string");
      return;
    case Type::kTime:
      w.member("type", "string");
      w.member("format", "date-time");
      return;
    case Type::kInteger:
      w.member("type", "integer");
      w.member("format", "int64");
      return;
    case Type::kBoolean:
      w.member("type", "boolean");
      return;
    case Type::kObject:
    case Type::kList:
    case Type::kIntegers:
    case Type::kStringMap:
      return;
  }
}

void write_scalar_object(json::Writer& w, Type type) {
  w.begin_object();
  write_scalar(w, type);
  w.end_object();
}

void write_items(json::Writer& w, const Field& field) {
  w.member("type", "array");
  w.key("items");
  if (field.schema != nullptr) {
    write_reference(w, field.schema->name);
    return;
  }
  write_scalar_object(w, field.type == Type::kIntegers ? Type::kInteger : Type::kString);
}

void write_field(json::Writer& w, const Field& field) {
  w.key(field.name);
  if (field.type == Type::kObject && field.schema != nullptr) {
    write_reference(w, field.schema->name);
    return;
  }
  w.begin_object();
  if (field.type == Type::kList || field.type == Type::kIntegers) {
    write_items(w, field);
  } else if (field.type == Type::kStringMap || field.type == Type::kObject) {
    w.member("type", "object");
    if (field.type == Type::kStringMap) {
      w.key("additionalProperties");
      write_scalar_object(w, Type::kString);
    }
  } else {
    write_scalar(w, field.type);
  }
  if (field.length_max != 0) {
    w.member("maxLength", field.length_max);
  }
  if (!field.description.empty()) {
    w.member("description", field.description);
  }
  w.end_object();
}

void write_schema(json::Writer& w, const Schema& schema) {
  w.key(schema.name);
  w.begin_object();
  w.member("type", "object");
  w.key("properties");
  w.begin_object();
  for (const Field& field : schema.fields) {
    write_field(w, field);
  }
  w.end_object();
  if (schema.any_texts) {
    w.key("additionalProperties");
    write_scalar_object(w, Type::kString);
  }
  w.end_object();
}

void write_parameter(json::Writer& w, const Parameter& parameter) {
  constexpr std::string_view kPlaces[] = {"path", "query", "header"};
  w.begin_object();
  w.member("name", parameter.name);
  w.member("in", kPlaces[static_cast<std::size_t>(parameter.in)]);
  w.member("required", parameter.required || parameter.in == Parameter::In::kPath);
  if (!parameter.description.empty()) {
    w.member("description", parameter.description);
  }
  w.key("schema");
  w.begin_object();
  write_scalar(w, parameter.type);
  if (parameter.max != 0) {
    w.member("maximum", parameter.max);
  }
  w.end_object();
  w.end_object();
}

/// Path parameters come from the path; those that are not plain text are documented as well.
void write_parameters(json::Writer& w, const Operation& operation) {
  const std::vector<Parameter>& documented = operation.documentation.parameters;
  w.key("parameters");
  w.begin_array();
  for (const std::string_view name : internal::parameter_names(operation.path)) {
    const auto known = std::find_if(documented.begin(), documented.end(), [&](const Parameter& p) {
      return p.in == Parameter::In::kPath && p.name == name;
    });
    write_parameter(w, known != documented.end()
                           ? *known
                           : Parameter{.name = name, .in = Parameter::In::kPath});
  }
  for (const Parameter& parameter : documented) {
    if (parameter.in != Parameter::In::kPath) {
      write_parameter(w, parameter);
    }
  }
  w.end_array();
}

void write_content(json::Writer& w, std::string_view type, const Schema* schema, bool list) {
  w.key("content");
  w.begin_object();
  w.key(type);
  w.begin_object();
  w.key("schema");
  if (schema == nullptr) {
    write_scalar_object(w, Type::kString);
  } else if (list) {
    w.begin_object();
    w.member("type", "array");
    w.key("items");
    write_reference(w, schema->name);
    w.end_object();
  } else {
    write_reference(w, schema->name);
  }
  w.end_object();
  w.end_object();
}

std::string_view meaning_of(int status) {
  return status == 201 ? "Created; Location names it" : "Success";
}

void write_responses(json::Writer& w, const Operation& operation) {
  const Documentation& documentation = operation.documentation;
  w.key("responses");
  w.begin_object();
  w.key(std::to_string(documentation.success));
  w.begin_object();
  w.member("description", meaning_of(documentation.success));
  if (documentation.response != nullptr || documentation.produces != "application/json") {
    write_content(w, documentation.produces, documentation.response,
                  documentation.response_is_list);
  }
  w.end_object();
  w.key("default");
  w.begin_object();
  w.member("description", "Failure");
  w.key("content");
  w.begin_object();
  w.key("application/json");
  w.begin_object();
  w.key("schema");
  write_reference(w, "Errors");
  w.end_object();
  w.end_object();
  w.end_object();
  w.end_object();
}

/// Who may: the operation's permission in words.
std::string permission_text(const auth::Permission& permission) {
  switch (permission.scope()) {
    case auth::Permission::Scope::kNobody:
      return "anyone";
    case auth::Permission::Scope::kAuthenticated:
      return "signed in";
    case auth::Permission::Scope::kSystem:
      return "system administrator";
    case auth::Permission::Scope::kProject:
      return "project " + std::string(auth::to_string(permission.resource())) + ":" +
             std::string(auth::to_string(permission.action()));
  }
  return {};
}

void write_operation(json::Writer& w, const Operation& operation) {
  const Documentation& documentation = operation.documentation;
  w.key(to_lower(http::to_string(operation.method)));
  w.begin_object();
  w.member("operationId", documentation.id);
  w.member("summary", documentation.summary);
  w.key("tags");
  w.begin_array();
  w.value(documentation.tag);
  w.end_array();
  w.member("x-permission", permission_text(operation.permission));
  if (operation.permission.scope() == auth::Permission::Scope::kNobody) {
    w.key("security");
    w.begin_array();
    w.end_array();
  }
  write_parameters(w, operation);
  if (documentation.body != nullptr) {
    w.key("requestBody");
    w.begin_object();
    w.member("required", true);
    write_content(w, "application/json", documentation.body, false);
    w.end_object();
  }
  write_responses(w, operation);
  w.end_object();
}

void write_paths(json::Writer& w, std::span<const Operation> operations) {
  std::map<std::string_view, std::vector<const Operation*>> paths;
  for (const Operation& operation : operations) {
    paths[operation.path].push_back(&operation);
  }
  w.key("paths");
  w.begin_object();
  for (const auto& [path, methods] : paths) {
    w.key(path);
    w.begin_object();
    for (const Operation* operation : methods) {
      write_operation(w, *operation);
    }
    w.end_object();
  }
  w.end_object();
}

const Schema& error_schema() {
  static const Schema kSchema{"Error", {{"code", Type::kString}, {"message", Type::kString}}};
  return kSchema;
}

const Schema& errors_schema() {
  static const Schema kSchema{"Errors", {{"errors", Type::kList, "", &error_schema()}}};
  return kSchema;
}

void write_components(json::Writer& w, std::span<const Operation> operations) {
  Schemas schemas;
  collect(&errors_schema(), schemas);
  for (const Operation& operation : operations) {
    collect(operation.documentation.body, schemas);
    collect(operation.documentation.response, schemas);
  }
  w.key("components");
  w.begin_object();
  w.key("schemas");
  w.begin_object();
  for (const auto& [name, schema] : schemas) {
    write_schema(w, *schema);
  }
  w.end_object();
  w.key("securitySchemes");
  w.begin_object();
  w.key("basic");
  w.begin_object();
  w.member("type", "http");
  w.member("scheme", "basic");
  w.end_object();
  w.end_object();
  w.end_object();
}

}  // namespace

std::string openapi_document(std::span<const Operation> operations, const OpenApiInfo& info) {
  json::Writer w;
  w.begin_object();
  w.member("openapi", "3.0.3");
  w.key("info");
  w.begin_object();
  w.member("title", info.title);
  w.member("version", info.version);
  w.end_object();
  w.key("servers");
  w.begin_array();
  w.begin_object();
  w.member("url", info.base);
  w.end_object();
  w.end_array();
  w.key("security");
  w.begin_array();
  w.begin_object();
  w.key("basic");
  w.begin_array();
  w.end_array();
  w.end_object();
  w.end_array();
  write_paths(w, operations);
  write_components(w, operations);
  w.end_object();
  return w.take();
}

}  // namespace roadstead::api
