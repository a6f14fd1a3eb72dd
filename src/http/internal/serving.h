#pragma once

#include <optional>
#include <string_view>

#include "http/internal/conditional.h"
#include "http/internal/exchange.h"
#include "http/internal/link.h"

namespace roadstead::http {

class Loop;

// What is done with an exchange, whatever protocol it came by. All of it runs on the loop's thread.

/// Fills the request and its context from the parsed head. After a refusal parts of it are empty.
void describe_request(Loop& loop, Exchange& exchange, const Peer& peer);
/// Behind a trusted proxy a connection belongs to nobody: there the requests are counted. False
/// when the client's address has as many as it may.
bool count_request(Loop& loop, Exchange& exchange, const Peer& peer);
/// The edge's own answer to a described request.
Response refusal(Loop& loop, Exchange& exchange, int status, std::string_view reason);
/// Which part of `response` the request asks for. Becomes a 416 when there is no such part.
Selection choose_part(Loop& loop, const Exchange& exchange, Response& response);

/// What the endpoint answers on this thread, or nothing: it has to wait, or the loop is late.
std::optional<Response> answer_in_place(Loop& loop, Exchange& exchange);
/// What the pool does with a request whose body, if any, is here.
Job job_of(const Exchange& exchange);
/// Gives the job to the pool; false when its queue is full, or half full and this client has many
/// requests there already.
bool submit_job(Loop& loop, Exchange& exchange, Job job);
/// More work for a request that the pool has admitted before.
void resume_job(Loop& loop, Exchange& exchange, Job job);

/// Tells the observer, once for each exchange whose head was read or refused.
void report(Loop& loop, const Exchange& exchange, bool aborted);
/// Buffers go back to the loop, the sink to the pool, where its destructor may block.
void end_upload(Loop& loop, Exchange& exchange);
/// Destroys sink and source on the pool and gives back what the exchange holds on to.
void dispose(Loop& loop, Exchange& exchange);

}  // namespace roadstead::http
