#include "app/readiness.h"

#include <algorithm>

#include "json/json.h"

namespace roadstead::app {
namespace {

using std::chrono::steady_clock;

constexpr std::chrono::seconds kTick{1};
/// A question that is open for so long is answered: no.
constexpr std::chrono::seconds kPatience{5};

http::Response answer(int status, std::string body) {
  http::Response response(status);
  response.add_header("Cache-Control", "no-store");
  if (status == 503) {
    response.add_header("Retry-After", "1");
  }
  response.set_body(std::move(body), "application/json; charset=utf-8");
  return response;
}

}  // namespace

Readiness::Readiness(std::string replica, std::vector<Dependency> dependencies)
    : replica_(std::move(replica)), dependencies_(std::move(dependencies)) {
  shared_.with([&](Shared& shared) {
    for (const Dependency& dependency : dependencies_) {
      shared.known.push_back({.component = {.name = dependency.name}});
    }
  });
  for (std::size_t i = 0; i < dependencies_.size(); ++i) {
    ask(i);
  }
  thread_ = std::thread([this] { work(); });
}

Readiness::~Readiness() {
  shared_.with([](Shared& shared) { shared.quit = true; });
  changed_.notify_all();
  thread_.join();
}

void Readiness::ask(std::size_t index) {
  shared_.with([&](Shared& shared) { shared.known[index].asked_at = steady_clock::now(); });
  const Result<void> found = dependencies_[index].probe();
  shared_.with([&](Shared& shared) {
    Known& known = shared.known[index];
    known.answered_at = steady_clock::now();
    known.component.healthy = found.has_value();
    known.component.error =
        found ? std::string() : "the " + known.component.name + " does not answer";
  });
}

void Readiness::work() {
  for (;;) {
    const bool quit = shared_.wait_for(
        changed_, kTick, [](const Shared& shared) { return shared.quit; },
        [](const Shared& shared) { return shared.quit; });
    if (quit) {
      return;
    }
    for (std::size_t i = 0; i < dependencies_.size(); ++i) {
      const bool due = shared_.with([&](const Shared& shared) {
        const Known& known = shared.known[i];
        return !known.component.healthy ||
               steady_clock::now() - known.answered_at >= dependencies_[i].every;
      });
      if (due) {
        ask(i);
      }
    }
  }
}

void Readiness::drain() {
  shared_.with([](Shared& shared) { shared.draining = true; });
}

std::vector<Readiness::Component> Readiness::components() const {
  return shared_.with([](const Shared& shared) {
    std::vector<Component> components;
    for (const Known& known : shared.known) {
      components.push_back(known.component);
      const bool open = known.asked_at > known.answered_at;
      if (open && known.component.healthy && steady_clock::now() - known.asked_at > kPatience) {
        components.back().healthy = false;
        components.back().error = "the " + known.component.name + " does not answer";
      }
    }
    if (shared.draining) {
      components.push_back({.name = "server", .healthy = false, .error = "the server is stopping"});
    }
    return components;
  });
}

bool Readiness::ready() const {
  const auto all = components();
  return std::all_of(all.begin(), all.end(),
                     [](const Component& component) { return component.healthy; });
}

bool Readiness::is_healthy(std::string_view name) const {
  const auto all = components();
  return std::all_of(all.begin(), all.end(), [&](const Component& component) {
    return component.name != name || component.healthy;
  });
}

std::optional<http::Response> LiveEndpoint::try_now(const http::Request& /*request*/,
                                                    http::Context& /*context*/) {
  return answer(200, R"({"status":"alive"})");
}

std::optional<http::Response> ReadyEndpoint::try_now(const http::Request& /*request*/,
                                                     http::Context& /*context*/) {
  const auto components = readiness_.components();
  const bool ready =
      std::all_of(components.begin(), components.end(),
                  [](const Readiness::Component& component) { return component.healthy; });
  json::Writer body;
  body.begin_object();
  body.member("status", ready ? "ready" : "not ready");
  body.member("replica", readiness_.replica());
  body.key("components");
  body.begin_array();
  for (const Readiness::Component& component : components) {
    body.begin_object();
    body.member("name", component.name);
    body.member("status", component.healthy ? "healthy" : "unhealthy");
    if (!component.healthy) {
      body.member("error", component.error);
    }
    body.end_object();
  }
  body.end_array();
  body.end_object();
  return answer(ready ? 200 : 503, body.take());
}

}  // namespace roadstead::app
