#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "auth/list_query.h"
#include "base/result.h"
#include "http/message.h"
#include "http/uri.h"

namespace roadstead::api {

/// The conditions of "q=": comma-separated "key=value", where value is text, ~text (contains),
/// [from~to], {one of these} or (all of these). Errors: kInvalid + kNone with Harbor's words.
Result<std::vector<auth::Filter>> parse_conditions(std::string_view q);
/// "name,-creation_time".
std::vector<auth::SortKey> parse_sort(std::string_view sort);
/// q, sort, page and page_size of a request whose parameters were checked before.
Result<auth::ListQuery> parse_list_query(const http::Query& query);

/// Adds X-Total-Count and, where there is a page before or after, Link.
void add_page_headers(http::Response& response, const http::Request& request,
                      const http::Query& query, const auth::ListQuery& asked, std::int64_t total);

}  // namespace roadstead::api
