#include "fsck/scrubber.h"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <stop_token>
#include <thread>
#include <vector>

#include "fsck/internal/verify.h"
#include "registry/check.h"

namespace roadstead::fsck {
namespace {

using internal::Verdict;

constexpr std::size_t kPage = 64;
/// How long it rests when nothing is due, or the database does not answer.
constexpr std::chrono::seconds kIdle{10};
/// Each blob costs a commit too, without a sync: one without a byte costs the work of this many, so
/// that millions of tiny ones have a pace.
constexpr std::uint64_t kBlobCost = 65'536;

}  // namespace

struct Scrubber::State {
  State(Parts own_parts, Options own_options)
      : parts(own_parts), stores{parts.database, parts.store, parts.locks}, options(own_options) {}

  Parts parts;
  internal::Stores stores;
  Options options;
  std::atomic<std::uint64_t> bytes{0};
  std::atomic<std::uint64_t> blobs{0};
  std::atomic<std::uint64_t> damaged{0};
  std::mutex mutex;
  std::condition_variable_any wake;
  std::chrono::steady_clock::time_point due{};  ///< When the budget allows the next read.
  /// Where the walk stands, so that what cannot be read does not hold up what comes after it.
  std::optional<registry::BlobRow> last;
  std::jthread thread;

  void run(const std::stop_token& stop);
  void rest(const std::stop_token& stop, std::chrono::steady_clock::time_point until);
  bool spend(const std::stop_token& stop, std::uint64_t cost);
  Result<std::vector<registry::BlobRow>> due_blobs(std::size_t count);
  Result<void> scrub(const registry::BlobRow& blob, const internal::Pace& pace);
};

void Scrubber::State::rest(const std::stop_token& stop,
                           std::chrono::steady_clock::time_point until) {
  std::unique_lock lock(mutex);
  wake.wait_until(lock, stop, until, [] { return false; });
}

/// Waits until the budget allows what was just read; false when it is time to end.
bool Scrubber::State::spend(const std::stop_token& stop, std::uint64_t cost) {
  const auto now = std::chrono::steady_clock::now();
  const auto takes = std::chrono::duration<double>(static_cast<double>(cost) /
                                                   static_cast<double>(options.bytes_per_second));
  due = std::max(due, now) + std::chrono::duration_cast<std::chrono::nanoseconds>(takes);
  rest(stop, due);
  return !stop.stop_requested();
}

Result<std::vector<registry::BlobRow>> Scrubber::State::due_blobs(std::size_t count) {
  return parts.database.read([&](db::ReadSession& session) {
    return registry::blobs_to_verify(session, session.now() - options.interval, last, count);
  });
}

Result<void> Scrubber::State::scrub(const registry::BlobRow& blob, const internal::Pace& pace) {
  const Verdict verdict =
      TRY(internal::look_at(parts.database, parts.store, blob, {.hash = true, .pace = pace}));
  blobs.fetch_add(1);
  // Whatever changed the blob meanwhile left it to be looked at another time.
  if (!TRY(internal::record(stores, blob, verdict)) || verdict.state == internal::State::kGood) {
    return {};
  }
  damaged.fetch_add(blob.damaged_at ? 0 : 1);
  parts.logger.error("stored content is damaged; it answers as absent until it is pushed again",
                     {{"digest", blob.digest}, {"problem", internal::kind_of(verdict.state)}});
  return {};
}

void Scrubber::State::run(const std::stop_token& stop) {
  const auto pace = [&](std::size_t read) {
    bytes.fetch_add(read);
    return spend(stop, read);
  };
  while (!stop.stop_requested()) {
    const bool ours = !options.has_turn || options.has_turn();
    const auto page = ours ? due_blobs(kPage) : std::vector<registry::BlobRow>();
    if (!page || page->empty()) {
      last.reset();
      rest(stop, std::chrono::steady_clock::now() + kIdle);
      continue;
    }
    for (const registry::BlobRow& blob : *page) {
      last = blob;
      if (!spend(stop, kBlobCost)) {
        return;
      }
      const auto done = scrub(blob, pace);
      if (!done && !stop.stop_requested()) {
        parts.logger.warning("content could not be verified",
                             {{"digest", blob.digest}, {"error", describe(done.error())}});
      }
    }
  }
}

Scrubber::Scrubber(Parts parts, Options options) : state_(std::make_unique<State>(parts, options)) {
  if (options.bytes_per_second > 0) {
    state_->thread =
        std::jthread([state = state_.get()](const std::stop_token& stop) { state->run(stop); });
  }
}

Scrubber::~Scrubber() = default;

Scrubber::Statistics Scrubber::statistics() const {
  return {state_->bytes.load(), state_->blobs.load(), state_->damaged.load()};
}

Result<std::chrono::seconds> Scrubber::oldest_age() const {
  return state_->parts.database.read([](db::ReadSession& session) -> Result<std::chrono::seconds> {
    const auto oldest = TRY(registry::oldest_verified(session));
    return oldest ? std::chrono::duration_cast<std::chrono::seconds>(session.now() - *oldest)
                  : std::chrono::seconds(0);
  });
}

Result<std::size_t> Scrubber::scrub_due(std::size_t count) {
  const auto page = TRY(state_->due_blobs(count));
  for (const registry::BlobRow& blob : page) {
    TRY(state_->scrub(blob, [&](std::size_t read) {
      state_->bytes.fetch_add(read);
      return true;
    }));
  }
  return page.size();
}

}  // namespace roadstead::fsck
