#include "registry/collect.h"

#include <algorithm>
#include <atomic>
#include <map>
#include <thread>
#include <tuple>
#include <utility>

#include "registry/hold.h"
#include "registry/internal/queues.h"
#include "registry/internal/reviewer.h"

namespace roadstead::registry {
namespace {

using internal::Question;
using internal::Reviewer;

/// What one transaction may cost, in rows.
constexpr std::int64_t kCostMax = 1'000;
/// A question that cannot be answered must not keep the others waiting, nor be forgotten.
constexpr std::chrono::hours kPostponed{1};

void add(Collected& sum, Collected more) {
  sum.reviewed += more.reviewed;
  sum.postponed += more.postponed;
  if (!more.problem.empty()) {
    sum.problem = std::move(more.problem);
  }
  sum.condemned += more.condemned;
  sum.worked += more.worked;
  std::move(more.removed.begin(), more.removed.end(), std::back_inserter(sum.removed));
}

/// Whether this transaction may remove something: somebody may be copying what it would remove.
Result<bool> may_purge(db::ReadSession& session, const ReviewStep& step) {
  return step.purge && !TRY(any_hold(session));
}

/// What a page is answered in. With one writer that is one transaction. Beside others each has the
/// questions of one repository, in the order in which pushes lock (ADR 12): who holds a row of one
/// repository never waits for another, nor for its own.
std::vector<std::vector<Question>> in_transactions(const std::vector<Question>& page,
                                                   bool one_writer) {
  if (one_writer) {
    return {page};
  }
  const auto is = [](const Question& question, internal::Review kind) {
    return question.kind == internal::to_string(kind);
  };
  // A push holds its manifest when it comes to its blobs.
  const auto place = [&](const Question& question) {
    return std::pair(question.repository.value, is(question, internal::Review::kManifest));
  };
  const auto turn = [&](const Question& question) {
    return std::tuple(is(question, internal::Review::kArtifact)     ? 0
                      : is(question, internal::Review::kRepository) ? 2
                                                                    : 1,
                      question.object, question.id);
  };
  std::map<std::pair<std::int64_t, bool>, std::vector<Question>> places;
  for (const Question& question : page) {
    places[place(question)].push_back(question);
  }
  std::vector<std::vector<Question>> transactions;
  for (auto& [where, questions] : places) {
    std::sort(questions.begin(), questions.end(),
              [&](const Question& a, const Question& b) { return turn(a) < turn(b); });
    transactions.push_back(std::move(questions));
  }
  return transactions;
}

/// The way out when a page fails for a reason that will not pass: one question at a time, and those
/// that fail wait.
Result<Collected> review_one_by_one(db::Database& database, const Options& options,
                                    const ReviewStep& step) {
  const auto questions = TRY(database.read([&](db::ReadSession& session) {
    return internal::due_questions(session, step.until, step.count);
  }));
  Collected sum;
  for (const Question& question : questions) {
    auto answered = database.write([&](db::WriteSession& session) -> Result<Collected> {
      Reviewer reviewer(session, options, TRY(may_purge(session, step)));
      TRY(reviewer.answer(question));
      return reviewer.take();
    });
    if (answered) {
      add(sum, std::move(*answered));
      continue;
    }
    if (answered.error().code == Code::kUnavailable) {
      return answered.error();
    }
    TRY(database.write([&](db::WriteSession& session) {
      return internal::postpone(session, question, session.now() + kPostponed);
    }));
    ++sum.reviewed;
    ++sum.postponed;
    sum.problem = answered.error().message + " " + answered.error().detail;
  }
  return sum;
}

/// Under the digest's lock nobody publishes the content, and nobody names it by a row. False when a
/// row does.
Result<bool> remove_content(db::Database& database, storage::BlobStore& store,
                            storage::DigestLocks& locks, const internal::Queued& queued) {
  const auto lock = locks.lock(queued.digest);
  const bool named = TRY(database.read_once(
      [&](db::ReadSession& session) { return internal::is_named(session, queued); }));
  if (named) {
    return false;
  }
  TRY(store.unlink(queued.location));
  return true;
}

}  // namespace

Result<Collected> review_due(db::Database& database, const Options& options,
                             const ReviewStep& step) {
  const auto page = TRY(database.read_once([&](db::ReadSession& session) {
    return internal::due_questions(session, step.until, step.count);
  }));
  Collected sum;
  if (page.empty()) {
    return sum;
  }
  sum.oldest = page.front().due;
  for (const auto& questions : in_transactions(page, database.reads_are_local())) {
    auto answered = database.write([&](db::WriteSession& session) -> Result<Collected> {
      const auto begun = std::chrono::steady_clock::now();
      Reviewer reviewer(session, options, TRY(may_purge(session, step)));
      for (const Question& question : questions) {
        if (reviewer.cost() >= kCostMax) {
          break;
        }
        TRY(reviewer.answer(question));
      }
      Collected collected = reviewer.take();
      collected.worked = std::chrono::duration_cast<std::chrono::microseconds>(
          std::chrono::steady_clock::now() - begun);
      return collected;
    });
    if (!answered && answered.error().code == Code::kUnavailable) {
      // What the transactions before it removed is to be told all the same.
      return sum.reviewed > 0 ? Result<Collected>(std::move(sum)) : answered.error();
    }
    if (!answered) {
      add(sum, TRY(review_one_by_one(database, options, step)));
      break;
    }
    add(sum, std::move(*answered));
  }
  return sum;
}

Result<Condemned> condemn_untagged(db::Database& database, const Options& options, ArtifactId after,
                                   std::size_t count) {
  return database.write([&](db::WriteSession& session) -> Result<Condemned> {
    Reviewer reviewer(session, options, true);
    Condemned condemned{after};
    const auto artifacts = TRY(internal::untagged_after(session, after, count));
    for (const ArtifactId artifact : artifacts) {
      condemned.last = artifact;
      ++condemned.looked_at;
      condemned.condemned += TRY(reviewer.condemn_artifact(artifact)) ? 1 : 0;
    }
    return condemned;
  });
}

Result<std::size_t> forget_trash(db::Database& database, const Options& options,
                                 std::size_t count) {
  return database.write([&](db::WriteSession& session) {
    return internal::forget_trash(session, session.now() - options.grace, count);
  });
}

Result<std::vector<std::string>> remove_from_store(db::Database& database,
                                                   storage::BlobStore& store,
                                                   storage::DigestLocks& locks,
                                                   const StoreStep& step) {
  const auto queue = TRY(database.read(
      [&](db::ReadSession& session) { return internal::queued_contents(session, step.count); }));
  std::atomic<std::size_t> next = 0;
  Guarded<Result<void>> outcome;
  Guarded<std::vector<storage::Location>> unlinked;
  const auto work = [&] {
    for (std::size_t i = next++; i < queue.size(); i = next++) {
      const Result<bool> removed = remove_content(database, store, locks, queue[i]);
      if (!removed) {
        outcome.with([&](Result<void>& known) { known = removed.error(); });
        return;
      }
      if (*removed) {
        unlinked.with([&](auto& locations) { locations.push_back(queue[i].location); });
      }
    }
  };
  {
    std::vector<std::jthread> helpers;
    for (std::size_t i = 1; i < std::min(step.workers, queue.size()); ++i) {
      helpers.emplace_back(work);
    }
    work();
  }
  // The queue forgets only what is gone for certain; what was removed before a failure is removed
  // again.
  TRY(outcome.with([](const Result<void>& known) { return known; }));
  std::vector<std::string> digests;
  if (queue.empty()) {
    return digests;
  }
  TRY(store.sync_removed(unlinked.with([](auto& locations) { return std::move(locations); })));
  const auto forget = [&](db::WriteSession& session) -> Result<void> {
    for (const internal::Queued& queued : queue) {
      TRY(internal::unqueue(session, queued));
    }
    return {};
  };
  TRY(database.write(forget));
  std::transform(queue.begin(), queue.end(), std::back_inserter(digests),
                 [](const internal::Queued& queued) { return queued.digest; });
  return digests;
}

}  // namespace roadstead::registry
