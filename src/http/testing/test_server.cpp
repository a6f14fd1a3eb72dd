#include "http/testing/test_server.h"

#include <fcntl.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>

#include "base/check.h"
#include "http/testing/client.h"

namespace roadstead::http::testing {

std::optional<Response> FunctionEndpoint::try_now(const Request& request, Context& context) {
  return on_try_now ? on_try_now(request, context) : std::nullopt;
}

Response FunctionEndpoint::handle(const Request& request, Context& context) {
  return on_handle ? on_handle(request, context) : Endpoint::handle(request, context);
}

FunctionEndpoint::Opened FunctionEndpoint::open(const Request& request, Context& context) {
  return on_open ? on_open(request, context) : Endpoint::open(request, context);
}

FunctionApplication::FunctionApplication() {
  missing_.label = "missing";
  missing_.on_try_now = [](const Request&, Context&) {
    Response response(404);
    response.set_body("not found\n", "text/plain");
    return response;
  };
}

FunctionEndpoint& FunctionApplication::operator[](const std::string& path) {
  FunctionEndpoint& endpoint = endpoints_[path];
  endpoint.label = path;
  return endpoint;
}

Endpoint& FunctionApplication::route(const Request& request, RouteParameters& parameters) {
  parameters.push(request.path);
  const auto found = endpoints_.find(request.path);
  return found == endpoints_.end() ? missing_ : found->second;
}

Response FunctionApplication::refuse(int status, std::string_view path, std::string_view reason) {
  Response response(status);
  response.set_body(std::string(path) + ": " + std::string(reason), "text/plain");
  return response;
}

void RecordingObserver::completed(const Completed& request) {
  Record record{std::string(request.request_id),
                std::string(request.client_address),
                std::string(request.method),
                std::string(request.target),
                std::string(request.endpoint),
                std::string(request.user_agent),
                std::string(request.identity),
                request.status,
                request.bytes_in,
                request.bytes_out,
                request.aborted};
  records_.with([&](std::vector<Record>& records) { records.push_back(std::move(record)); });
  changed_.notify_all();
}

std::vector<Record> RecordingObserver::wait(std::size_t count) {
  return records_.wait_for(
      changed_, std::chrono::seconds(20),
      [&](const std::vector<Record>& records) { return records.size() >= count; },
      [](const std::vector<Record>& records) { return records; });
}

TestServer::TestServer()
    : null_(::open("/dev/null", O_WRONLY | O_CLOEXEC)),
      sink_(std::make_unique<log::Sink>(null_, log::Format::kText, log::Level::kError, clock_)) {
  options.listen.push_back({"127.0.0.1", 0, false});
  options.io_threads = 1;
}

TestServer::~TestServer() {
  stop();
  pool.reset();
  sink_.reset();
  ::close(null_);
  if (!folder_.empty()) {
    std::filesystem::remove_all(folder_);
  }
}

void TestServer::start() {
  pool = std::make_unique<sys::ThreadPool>(pool_options);
  auto started = Server::start(options, application, observer, *pool, log::Logger(*sink_));
  CHECK(started.has_value());
  server = std::move(started).value();
}

void TestServer::listen_tls() {
  std::string name = std::filesystem::temp_directory_path() / "roadstead-tls-XXXXXX";
  CHECK(::mkdtemp(name.data()) != nullptr);
  folder_ = name;
  install_certificate("first");
  options.listen.insert(options.listen.begin(), {"127.0.0.1", 0, true});
  options.tls = TlsOptions{folder_ / "cert.pem", folder_ / "key.pem"};
}

void TestServer::install_certificate(std::string_view common_name) {
  const Certificate made = make_certificate(common_name);
  std::ofstream(folder_ / "cert.pem") << made.certificate;
  std::ofstream(folder_ / "key.pem") << made.key;
}

void TestServer::stop() {
  server.reset();
}

}  // namespace roadstead::http::testing
