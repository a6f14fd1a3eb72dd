#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "api/operation/body.h"
#include "api/operation/schema.h"
#include "auth/list_query.h"
#include "auth/permission.h"
#include "auth/principal.h"
#include "auth/project_access.h"
#include "base/result.h"
#include "db/database.h"
#include "http/message.h"
#include "http/uri.h"

namespace roadstead::api {

/// One request to an operation whose parameters and body were checked and whose caller may do it.
/// Lives for the call of the handler.
struct Call {
  const http::Request& request;
  const http::Query& query;
  Fields body;  ///< Empty when the operation takes none.
  std::vector<std::pair<std::string_view, std::string>> path;  ///< Decoded path parameters.

  auth::Principal caller;  ///< Anonymous when the credentials did not count.
  bool sysadmin = false;
  std::optional<auth::ProjectAccess> project;  ///< Of operations on a project.

  /// A path parameter; CHECKs that the operation has it.
  [[nodiscard]] std::string_view path_text(std::string_view name) const;
  /// One that the documentation says is an integer.
  [[nodiscard]] std::int64_t path_integer(std::string_view name) const;
  /// "true" or "1" of a query parameter; nothing when absent.
  [[nodiscard]] std::optional<bool> query_flag(std::string_view name) const;
  [[nodiscard]] std::string query_text(std::string_view name) const;
  [[nodiscard]] bool signed_in() const { return caller.kind == auth::Principal::Kind::kUser; }
};

/// What answers. Handlers on a session run in the one in which the permission was read: one
/// snapshot, and for writes one transaction, so a handler may run again. Others take their own
/// sessions and run after the permission was checked in one.
using ReadHandler = std::function<Result<http::Response>(const Call&, db::ReadSession&)>;
using WriteHandler = std::function<Result<http::Response>(const Call&, db::WriteSession&)>;
using PlainHandler = std::function<Result<http::Response>(const Call&)>;
using Handler = std::variant<ReadHandler, WriteHandler, PlainHandler>;
inline Handler reads(ReadHandler handler) {
  return Handler(std::in_place_index<0>, std::move(handler));
}
inline Handler writes(WriteHandler handler) {
  return Handler(std::in_place_index<1>, std::move(handler));
}
inline Handler plain(PlainHandler handler) {
  return Handler(std::in_place_index<2>, std::move(handler));
}

/// What the OpenAPI document says, and what a request is checked against.
struct Documentation {
  std::string_view id;
  std::string_view summary;
  std::string_view tag;
  std::vector<Parameter> parameters{};  ///< Of path parameters, those that are not plain text.
  const Schema* body = nullptr;
  std::string_view body_name{};
  int success = 200;
  const Schema* response = nullptr;
  bool response_is_list = false;
  std::string_view produces = "application/json";
  /// Short enough for an I/O thread when the database is local.
  bool cheap = false;
};

/// One row of the operation table.
struct Operation {
  http::Method method;
  std::string_view path;  ///< Below the base: "/projects/{project_name_or_id}/members/{mid}".
  auth::Permission permission;
  Handler handler;
  Documentation documentation;
};

/// The four parameters of every list.
std::vector<Parameter> list_parameters(std::vector<Parameter> more = {});

http::Response json_response(std::string body, int status = 200);
http::Response empty_response(int status = 200);
/// 201 with Location.
http::Response created_response(std::string_view location);

}  // namespace roadstead::api
