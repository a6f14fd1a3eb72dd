#include "http/internal/exchange.h"

#include <exception>
#include <utility>

#include "http/internal/loop.h"

namespace roadstead::http {
namespace {

std::span<const std::byte> as_bytes(const char* data, std::size_t size) {
  return std::as_bytes(std::span(data, size));
}

/// Null when the endpoint answers instead.
std::unique_ptr<BodySink> open_sink(Exchange& exchange) {
  auto opened = exchange.endpoint->open(exchange.request, exchange.context);
  if (auto* answer = std::get_if<Response>(&opened)) {
    exchange.job_response = std::move(*answer);
    return nullptr;
  }
  return std::move(*std::get_if<std::unique_ptr<BodySink>>(&opened));
}

void run_whole(Exchange& exchange) {
  // Not in the exchange: the sink is destroyed here, on the pool, whatever happens.
  const auto sink = open_sink(exchange);
  if (sink == nullptr) {
    return;
  }
  const std::string_view body = exchange.request.body;
  if (!body.empty()) {
    exchange.job_response = sink->write(as_bytes(body.data(), body.size()));
  }
  if (!exchange.job_response) {
    exchange.job_response = sink->finish();
  }
}

/// The first buffer of a body opens the sink.
void write_buffer(Exchange& exchange) {
  Upload& upload = *exchange.upload;
  if (upload.sink == nullptr) {
    upload.sink = open_sink(exchange);
    if (upload.sink == nullptr) {
      return;
    }
  }
  const std::size_t size = upload.filled.at(upload.writing);
  if (size > 0) {
    exchange.job_response =
        upload.sink->write(as_bytes(upload.buffers.at(upload.writing).get(), size));
  }
}

void run(Exchange& exchange) {
  switch (exchange.job) {
    case Job::kNone:
      return;
    case Job::kHandle:
      exchange.job_response = exchange.endpoint->handle(exchange.request, exchange.context);
      return;
    case Job::kOpen:
      if (auto sink = open_sink(exchange)) {
        exchange.upload = std::make_unique<Upload>();
        exchange.upload->sink = std::move(sink);
        exchange.upload->admitted = true;
      }
      return;
    case Job::kWhole:
      run_whole(exchange);
      return;
    case Job::kWrite:
      write_buffer(exchange);
      return;
    case Job::kFinish:
      write_buffer(exchange);
      if (!exchange.job_response) {
        exchange.job_response = exchange.upload->sink->finish();
      }
      exchange.upload->sink.reset();
      return;
    case Job::kPiece:
      exchange.job_failed = !exchange.out.load_piece();
      return;
  }
}

}  // namespace

void run_job(Exchange& exchange) {
  try {
    run(exchange);
  } catch (const std::exception& error) {
    exchange.context.logger.error("request handler threw", {{"what", error.what()}});
    exchange.job_failed = true;
  } catch (...) {
    exchange.context.logger.error("request handler threw");
    exchange.job_failed = true;
  }
  exchange.loop->complete(exchange);
}

void Exchange::next_request() {
  in.remove_front(consumed);
  in.append(leftover);
  consumed = 0;
  leftover.clear();
  parser.reset();
  head = Head();
  fields.clear();
  head_read = false;
  body_left = 0;
  chunked.reset();
  body.clear();
  body_max = 0;
  body_bytes = 0;
  body_complete = false;
  request = Request();
  context.parameters.count = 0;
  context.identity.clear();
  endpoint = nullptr;
  job = Job::kNone;
  job_response.reset();
  job_failed = false;
  upload.reset();
  out.reset();
  refused = false;
  close_after = false;
  compacted = false;
  kept.clear();
}

void Exchange::compact() {
  if (compacted || consumed < in.size() || !leftover.empty()) {
    return;
  }
  compacted = true;
  const std::array<std::string_view*, 5> views{&context.request_id, &request.client_address,
                                               &request.method_name, &request.target,
                                               &head.user_agent};
  std::size_t total = 0;
  for (const auto* view : views) {
    total += view->size();
  }
  kept.reserve(total);  // No growth below: the new views stay valid.
  for (auto* view : views) {
    const std::size_t at = kept.size();
    kept.append(*view);
    *view = std::string_view(kept).substr(at);
  }
  context.logger = context.logger.with_request(context.request_id);
  request.headers = {};
  request.body = {};
  in.release();
  consumed = 0;
  body.release();
  fields = {};
}

}  // namespace roadstead::http
