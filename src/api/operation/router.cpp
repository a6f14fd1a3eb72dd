#include "api/operation/router.h"

#include <algorithm>
#include <array>
#include <map>

#include "api/operation/errors.h"
#include "api/operation/internal/operation_endpoint.h"
#include "base/check.h"
#include "base/text.h"

namespace roadstead::api {
namespace {

constexpr std::size_t kSegmentsMax = 16;
constexpr std::size_t kMethods = static_cast<std::size_t>(http::Method::kOther);

/// The segments of a path; empty ones do not count. Too many fit no operation.
struct Segments {
  std::array<std::string_view, kSegmentsMax> values{};
  std::size_t count = 0;
  bool too_many = false;
};

Segments segments_of(std::string_view path) {
  Segments segments;
  while (!path.empty()) {
    const std::size_t slash = path.find('/');
    const std::string_view segment = path.substr(0, slash);
    path.remove_prefix(slash == std::string_view::npos ? path.size() : slash + 1);
    if (segment.empty()) {
      continue;
    }
    if (segments.count == kSegmentsMax) {
      segments.too_many = true;
      return segments;
    }
    segments.values.at(segments.count++) = segment;
  }
  return segments;
}

bool is_parameter(std::string_view segment) {
  return segment.size() > 2 && segment.front() == '{' && segment.back() == '}';
}

/// One position in the paths of all operations.
struct Node {
  std::map<std::string_view, std::unique_ptr<Node>> literals;
  std::unique_ptr<Node> parameter;
  std::array<std::unique_ptr<http::Endpoint>, kMethods> endpoints;

  [[nodiscard]] bool answers() const {
    return std::any_of(endpoints.begin(), endpoints.end(),
                       [](const auto& e) { return e != nullptr; });
  }
};

/// The node of a path that answers something; literals first, then back to parameters.
const Node* find_node(const Node& node, const Segments& segments, std::size_t at,
                      http::RouteParameters& parameters) {
  if (at == segments.count) {
    return node.answers() ? &node : nullptr;
  }
  const std::string_view segment = segments.values.at(at);
  const auto literal = node.literals.find(segment);
  if (literal != node.literals.end()) {
    if (const Node* found = find_node(*literal->second, segments, at + 1, parameters)) {
      return found;
    }
  }
  if (node.parameter && parameters.count < parameters.values.size()) {
    parameters.push(segment);
    if (const Node* found = find_node(*node.parameter, segments, at + 1, parameters)) {
      return found;
    }
    --parameters.count;
  }
  return nullptr;
}

class NotFoundEndpoint final : public http::Endpoint {
 public:
  [[nodiscard]] std::string_view name() const override { return "not found"; }
  [[nodiscard]] http::BodyMode body_mode() const override { return http::BodyMode::kBuffered; }
  [[nodiscard]] std::size_t body_max() const override { return std::size_t{1} << 20U; }
  std::optional<http::Response> try_now(const http::Request& request,
                                        http::Context& context) override {
    return handle(request, context);
  }
  http::Response handle(const http::Request& request, http::Context& /*context*/) override {
    return error_response(404, "NOT_FOUND", "path " + std::string(request.path) + " was not found");
  }
};

class NotAllowedEndpoint final : public http::Endpoint {
 public:
  explicit NotAllowedEndpoint(std::string allowed) : allowed_(std::move(allowed)) {}
  [[nodiscard]] std::string_view name() const override { return "method not allowed"; }
  [[nodiscard]] http::BodyMode body_mode() const override { return http::BodyMode::kBuffered; }
  [[nodiscard]] std::size_t body_max() const override { return std::size_t{1} << 20U; }
  std::optional<http::Response> try_now(const http::Request& request,
                                        http::Context& context) override {
    return handle(request, context);
  }
  http::Response handle(const http::Request& request, http::Context& /*context*/) override {
    return error_response(405, "METHOD_NOT_ALLOWED",
                          "method " + std::string(request.method_name) + " is not allowed, but [" +
                              allowed_ + "] are");
  }

 private:
  std::string allowed_;
};

}  // namespace

struct Router::State {
  Segments base;
  std::vector<Operation> operations;
  Node root;
  NotFoundEndpoint not_found;
  std::map<const Node*, std::unique_ptr<NotAllowedEndpoint>> not_allowed;

  void add(const Operation& operation, std::string_view base_text, RouterParts parts) {
    Node* node = &root;
    const Segments segments = segments_of(operation.path);
    CHECK(!segments.too_many);
    for (std::size_t i = 0; i < segments.count; ++i) {
      std::unique_ptr<Node>& next = is_parameter(segments.values.at(i))
                                        ? node->parameter
                                        : node->literals[segments.values.at(i)];
      if (!next) {
        next = std::make_unique<Node>();
      }
      node = next.get();
    }
    auto& endpoint = node->endpoints.at(static_cast<std::size_t>(operation.method));
    CHECK(endpoint == nullptr);
    endpoint = std::make_unique<internal::OperationEndpoint>(operation, base_text, parts);
  }

  void refuse_other_methods(const Node& node) {
    if (node.answers()) {
      std::string allowed;
      for (std::size_t i = 0; i < kMethods; ++i) {
        if (node.endpoints.at(i)) {
          allowed.append(allowed.empty() ? "" : ",");
          allowed.append(http::to_string(static_cast<http::Method>(i)));
        }
      }
      not_allowed.emplace(&node, std::make_unique<NotAllowedEndpoint>(std::move(allowed)));
    }
    for (const auto& [name, child] : node.literals) {
      refuse_other_methods(*child);
    }
    if (node.parameter) {
      refuse_other_methods(*node.parameter);
    }
  }

  [[nodiscard]] bool has_base(const Segments& segments) const {
    return segments.count >= base.count &&
           std::equal(base.values.begin(), base.values.begin() + static_cast<long>(base.count),
                      segments.values.begin());
  }
};

Router::Router(std::string_view base, std::vector<Operation> operations, RouterParts parts)
    : state_(std::make_unique<State>()) {
  state_->base = segments_of(base);
  state_->operations = std::move(operations);
  for (const Operation& operation : state_->operations) {
    state_->add(operation, base, parts);
  }
  state_->refuse_other_methods(state_->root);
}

Router::~Router() = default;

bool Router::owns(std::string_view path) const {
  return state_->has_base(segments_of(path));
}

http::Endpoint* Router::find(const http::Request& request,
                             http::RouteParameters& parameters) const {
  const Segments segments = segments_of(request.path);
  if (segments.too_many || !state_->has_base(segments)) {
    return nullptr;
  }
  const Node* node = find_node(state_->root, segments, state_->base.count, parameters);
  if (node == nullptr) {
    return nullptr;
  }
  const auto method = static_cast<std::size_t>(request.method);
  if (method < kMethods && node->endpoints.at(method)) {
    return node->endpoints.at(method).get();
  }
  return state_->not_allowed.at(node).get();
}

http::Endpoint& Router::route(const http::Request& request,
                              http::RouteParameters& parameters) const {
  http::Endpoint* endpoint = find(request, parameters);
  return endpoint != nullptr ? *endpoint : state_->not_found;
}

std::span<const Operation> Router::operations() const {
  return state_->operations;
}

}  // namespace roadstead::api
