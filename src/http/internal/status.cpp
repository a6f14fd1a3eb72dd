#include "http/internal/status.h"

#include <array>
#include <string>

#include "base/check.h"

namespace roadstead::http {
namespace {

constexpr int kFirst = 100;
constexpr int kLast = 599;

struct Reason {
  int status;
  std::string_view text;
};

constexpr Reason kReasons[] = {
    {100, "Continue"},
    {200, "OK"},
    {201, "Created"},
    {202, "Accepted"},
    {204, "No Content"},
    {206, "Partial Content"},
    {301, "Moved Permanently"},
    {302, "Found"},
    {303, "See Other"},
    {304, "Not Modified"},
    {307, "Temporary Redirect"},
    {308, "Permanent Redirect"},
    {400, "Bad Request"},
    {401, "Unauthorized"},
    {403, "Forbidden"},
    {404, "Not Found"},
    {405, "Method Not Allowed"},
    {406, "Not Acceptable"},
    {408, "Request Timeout"},
    {409, "Conflict"},
    {410, "Gone"},
    {411, "Length Required"},
    {412, "Precondition Failed"},
    {413, "Content Too Large"},
    {414, "URI Too Long"},
    {415, "Unsupported Media Type"},
    {416, "Range Not Satisfiable"},
    {417, "Expectation Failed"},
    {422, "Unprocessable Content"},
    {429, "Too Many Requests"},
    {431, "Request Header Fields Too Large"},
    {500, "Internal Server Error"},
    {501, "Not Implemented"},
    {502, "Bad Gateway"},
    {503, "Service Unavailable"},
    {504, "Gateway Timeout"},
    {505, "HTTP Version Not Supported"},
    {507, "Insufficient Storage"},
};

std::string_view reason_of(int status) {
  for (const Reason& reason : kReasons) {
    if (reason.status == status) {
      return reason.text;
    }
  }
  return "";
}

std::array<std::string, kLast - kFirst + 1> make_lines() {
  std::array<std::string, kLast - kFirst + 1> lines;
  for (int status = kFirst; status <= kLast; ++status) {
    lines.at(static_cast<std::size_t>(status - kFirst)) =
        "HTTP/1.1 " + std::to_string(status) + " " + std::string(reason_of(status)) + "\r\n";
  }
  return lines;
}

}  // namespace

std::string_view status_line(int status) {
  static const auto lines = make_lines();
  CHECK(status >= kFirst && status <= kLast);
  return lines[static_cast<std::size_t>(status - kFirst)];
}

std::uint64_t body_length(const Response::Body& body) {
  if (const auto* text = std::get_if<std::string>(&body)) {
    return text->size();
  }
  if (const auto* region = std::get_if<FileRegion>(&body)) {
    return region->length;
  }
  const auto* source = std::get_if<std::unique_ptr<BodySource>>(&body);
  return source != nullptr && *source ? (*source)->length() : 0;
}

}  // namespace roadstead::http
