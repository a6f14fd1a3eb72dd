#include "http/internal/status.h"

#include <array>
#include <string>

#include "base/check.h"

namespace roadstead::http {
namespace {

constexpr int kFirst = 100;
constexpr int kLast = 599;

std::string_view reason_of(int status) {
  switch (status) {
    case 100:
      return "Continue";
    case 200:
      return "OK";
    case 201:
      return "Created";
    case 202:
      return "Accepted";
    case 204:
      return "No Content";
    case 206:
      return "Partial Content";
    case 301:
      return "Moved Permanently";
    case 302:
      return "Found";
    case 303:
      return "See Other";
    case 304:
      return "Not Modified";
    case 307:
      return "Temporary Redirect";
    case 308:
      return "Permanent Redirect";
    case 400:
      return "Bad Request";
    case 401:
      return "Unauthorized";
    case 403:
      return "Forbidden";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 406:
      return "Not Acceptable";
    case 408:
      return "Request Timeout";
    case 409:
      return "Conflict";
    case 410:
      return "Gone";
    case 411:
      return "Length Required";
    case 412:
      return "Precondition Failed";
    case 413:
      return "Content Too Large";
    case 414:
      return "URI Too Long";
    case 415:
      return "Unsupported Media Type";
    case 416:
      return "Range Not Satisfiable";
    case 417:
      return "Expectation Failed";
    case 422:
      return "Unprocessable Content";
    case 429:
      return "Too Many Requests";
    case 431:
      return "Request Header Fields Too Large";
    case 500:
      return "Internal Server Error";
    case 501:
      return "Not Implemented";
    case 502:
      return "Bad Gateway";
    case 503:
      return "Service Unavailable";
    case 504:
      return "Gateway Timeout";
    case 505:
      return "HTTP Version Not Supported";
    case 507:
      return "Insufficient Storage";
    default:
      return "";
  }
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
