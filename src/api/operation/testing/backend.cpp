#include "api/operation/testing/backend.h"

#include <unistd.h>

#include "base/check.h"
#include "base/text.h"
#include "json/json.h"

namespace roadstead::api::testing {
namespace {

/// Making a key takes longer than most tests.
crypto::SigningKey shared_key() {
  static const std::string kPem = crypto::SigningKey::generate(2048).value().to_pem();
  return crypto::SigningKey::from_pem(kPem).value();
}

std::string authorization_of(const std::string& as) {
  if (as.empty() || as.find(' ') != std::string::npos) {
    return as;
  }
  return "Basic " + to_base64(bytes_of(as + ":" + std::string(kPassword)));
}

std::string error_member(const std::string& body, std::string_view name) {
  const auto document = json::Document::parse(body);
  if (!document || document->root()["errors"].size() == 0) {
    return {};
  }
  return std::string(
      document->root()["errors"].at(0)[name].as_string().value_or(std::string_view{}));
}

Answer answer_of(http::Response& response) {
  Answer answer;
  answer.status = response.status();
  answer.header_block = response.header_block();
  if (const auto* text = std::get_if<std::string>(&response.body())) {
    answer.body = *text;
  }
  return answer;
}

}  // namespace

std::string Answer::header(std::string_view name) const {
  for (const std::string_view line : split(header_block, '\n')) {
    const std::size_t colon = line.find(':');
    if (colon != std::string_view::npos && equals_ignoring_case(line.substr(0, colon), name)) {
      std::string_view value = trim(line.substr(colon + 1));
      if (value.ends_with('\r')) {
        value.remove_suffix(1);
      }
      return std::string(value);
    }
  }
  return {};
}

std::string Answer::error_code() const {
  return error_member(body, "code");
}

std::string Answer::error_message() const {
  return error_member(body, "message");
}

Backend::Backend()
    : clock(from_micros(1'790'000'000'000'000)),
      sink(STDERR_FILENO, log::Format::kText, log::Level::kError, clock),
      database(db::testing::open_scratch_database(clock)),
      passwords({}),
      users(*database, passwords),
      tokens(clock, shared_key(), {}),
      throttle(clock),
      authenticator(auth::make_authenticator({.database = *database,
                                              .passwords = passwords,
                                              .tokens = tokens,
                                              .throttle = throttle,
                                              .clock = clock,
                                              .logger = log::Logger(sink)})) {
  CHECK(auth::ensure_administrator(*database, kPassword).value());
}

UserId Backend::add_user(const std::string& name) {
  return users
      .create({.name = name,
               .password = std::string(kPassword),
               .profile = {.email = name + "@example.com", .realname = name, .comment = {}}})
      .value();
}

Answer Backend::send(const Route& route, const Ask& ask) {
  auto headers = ask.headers;
  const std::string authorization = authorization_of(ask.as);
  if (!authorization.empty()) {
    headers.emplace_back("Authorization", authorization);
  }
  if (!ask.body.empty()) {
    headers.insert(headers.begin(), {"Content-Type", "application/json"});
  }
  std::vector<http::HeaderField> fields;
  for (const auto& [name, value] : headers) {
    fields.push_back({name, value});
  }
  const std::string method(http::to_string(ask.method));
  const std::string_view target = ask.target;
  const std::size_t question = target.find('?');
  http::Request request;
  request.method = ask.method;
  request.method_name = method;
  request.target = target;
  request.path = target.substr(0, question);
  request.query =
      question == std::string_view::npos ? std::string_view{} : target.substr(question + 1);
  request.headers = fields;
  request.has_body = !ask.body.empty();
  request.body = ask.body;
  request.client_address = "10.0.0.1";
  request.scheme = "http";
  request.host = "registry.test";
  http::Context context{.request_id = "test",
                        .deadline = std::chrono::steady_clock::now() + std::chrono::minutes(1),
                        .logger = log::Logger(sink),
                        .parameters = {},
                        .identity = {}};
  http::Endpoint& endpoint = route(request, context.parameters);
  auto response = endpoint.try_now(request, context);
  const bool on_io_thread = response.has_value();
  if (!response) {
    response.emplace(endpoint.handle(request, context));
  }
  Answer answer = answer_of(*response);
  answer.identity = context.identity;
  answer.on_io_thread = on_io_thread;
  return answer;
}

}  // namespace roadstead::api::testing
