#include "http/internal/serving.h"

#include <exception>
#include <string>
#include <utility>

#include "http/internal/characters.h"
#include "http/internal/loop.h"

namespace roadstead::http {
namespace {

constexpr std::size_t kRequestIdMax = 128;
constexpr int kClientClosedRequest = 499;  // What access logs show for a client that left.

bool is_request_id(std::string_view id) {
  return !id.empty() && id.size() <= kRequestIdMax && all_in(id, kIdCharacter);
}

}  // namespace

void describe_request(Loop& loop, Exchange& exchange, const Peer& peer) {
  const Head& head = exchange.head;
  exchange.head_read = true;
  exchange.started = loop.now();
  Request& request = exchange.request;
  request.method = head.method;
  request.method_name = head.method_name;
  request.target = head.target;
  request.path = head.path;
  request.query = head.query;
  request.headers = exchange.fields;
  request.content_length = head.content_length;
  request.has_body = head.chunked || head.content_length.value_or(0) > 0;
  Origin origin{peer.address, peer.tls ? "https" : "http", head.host};
  if (peer.trusted) {
    origin = loop.shared().proxies.resolve(request, origin);
  }
  request.client_address = origin.client_address;
  request.scheme = origin.scheme;
  request.host = origin.host;
  Context& context = exchange.context;
  context.request_id =
      is_request_id(head.request_id) ? head.request_id : loop.new_request_id(exchange.generated_id);
  context.deadline = exchange.started + loop.limits().request_time;
  context.logger = loop.shared().logger.with_request(context.request_id);
}

bool count_request(Loop& loop, Exchange& exchange, const Peer& peer) {
  if (loop.limits().connections_per_address_max == 0 || !peer.trusted) {
    return true;
  }
  std::string address(exchange.request.client_address);
  if (!loop.shared().enter(address)) {
    return false;
  }
  exchange.counted_address = std::move(address);
  return true;
}

Response refusal(Loop& loop, Exchange& exchange, int status, std::string_view reason) {
  exchange.refused = true;
  loop.refused.fetch_add(1, std::memory_order_relaxed);
  Response response = loop.shared().application.refuse(status, exchange.request.path, reason);
  if (status == 503 && !response.header("Retry-After")) {
    response.add_header("Retry-After", "1");
  }
  return response;
}

Selection choose_part(Loop& loop, const Exchange& exchange, Response& response) {
  const Selection selection = select(exchange.request, response);
  if (selection.kind != Selection::Kind::kUnsatisfiable) {
    return selection;
  }
  const std::uint64_t total = response.content_length();
  response = loop.shared().application.refuse(416, exchange.request.path, "range not satisfiable");
  response.add_header("Content-Range", "bytes */" + std::to_string(total));
  return {};
}

Job job_of(const Exchange& exchange) {
  return exchange.endpoint->body_mode() == BodyMode::kStreamed ? Job::kWhole : Job::kHandle;
}

std::optional<Response> answer_in_place(Loop& loop, Exchange& exchange) {
  const bool sink = exchange.request.has_body && job_of(exchange) == Job::kWhole;
  if (sink || loop.late()) {
    return std::nullopt;
  }
  try {
    return exchange.endpoint->try_now(exchange.request, exchange.context);
  } catch (const std::exception& error) {
    exchange.context.logger.error("request handler threw", {{"what", error.what()}});
    return refusal(loop, exchange, 500, "internal server error");
  }
}

bool submit_job(Loop& loop, Exchange& exchange, Job job) {
  exchange.job = job;
  exchange.context.deadline = loop.now() + loop.limits().request_time;
  const std::string_view client = exchange.request.client_address;
  ClientShares& shares = loop.client_shares();
  const auto share =
      shares.modest(client) ? sys::ThreadPool::Share::kModest : sys::ThreadPool::Share::kLarge;
  const bool taken =
      loop.shared().workers.try_submit([work = &exchange] { run_job(*work); }, share);
  if (!taken) {
    exchange.job = Job::kNone;
  } else if (exchange.share == nullptr) {
    exchange.share = &shares.enter(client);
  }
  return taken;
}

void resume_job(Loop& loop, Exchange& exchange, Job job) {
  exchange.job = job;
  exchange.context.deadline = loop.now() + loop.limits().request_time;
  loop.shared().workers.submit_continuation([work = &exchange] { run_job(*work); });
}

void report(Loop& loop, const Exchange& exchange, bool aborted) {
  Completed completed;
  completed.request_id = exchange.context.request_id;
  completed.client_address = exchange.request.client_address;
  completed.method = exchange.request.method_name;
  completed.target = exchange.request.target;
  completed.user_agent = exchange.head.user_agent;
  completed.identity = exchange.context.identity;
  if (exchange.endpoint != nullptr && !exchange.refused) {
    completed.endpoint = exchange.endpoint->name();
  }
  completed.status = exchange.out.status() == 0 ? kClientClosedRequest : exchange.out.status();
  completed.bytes_in = exchange.body_bytes;
  completed.bytes_out = exchange.out.body_bytes_sent();
  completed.duration = loop.read_clock() - exchange.started;
  completed.aborted = aborted;
  loop.shared().observer.completed(completed);
}

void end_upload(Loop& loop, Exchange& exchange) {
  auto upload = std::move(exchange.upload);
  for (auto& buffer : upload->buffers) {
    loop.give_back(std::move(buffer));
  }
  loop.uploads.fetch_sub(1, std::memory_order_relaxed);
  if (BodySink* sink = upload->sink.release()) {
    loop.shared().workers.submit_continuation([sink] { delete sink; });
  }
}

void dispose(Loop& loop, Exchange& exchange) {
  if (exchange.upload) {
    end_upload(loop, exchange);
  }
  if (exchange.out.has_source()) {
    auto body = exchange.out.take_body();
    BodySource* source = std::get_if<std::unique_ptr<BodySource>>(&body)->release();
    loop.shared().workers.submit_continuation([source] { delete source; });
  }
  if (!exchange.counted_address.empty()) {
    loop.shared().leave(exchange.counted_address);
    exchange.counted_address.clear();
  }
  if (exchange.share != nullptr) {
    loop.client_shares().leave(*std::exchange(exchange.share, nullptr));
  }
}

}  // namespace roadstead::http
