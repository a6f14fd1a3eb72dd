#include "sys/thread_pool.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>

#include <algorithm>
#include <atomic>
#include <deque>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include <semaphore.h>

#include "base/check.h"
#include "base/guarded.h"

namespace roadstead::sys {
namespace {

constexpr std::size_t kThreadNameMax = 15;  // The kernel's limit without the final zero.

/// POSIX semaphore: one futex call to sleep, one to wake, and none when nobody sleeps.
/// (std::counting_semaphore of libstdc++ 12 can lose a wake-up when several threads wait.)
class Semaphore {
 public:
  Semaphore() { CHECK(sem_init(&semaphore_, 0, 0) == 0); }
  ~Semaphore() { sem_destroy(&semaphore_); }
  Semaphore(const Semaphore&) = delete;
  Semaphore& operator=(const Semaphore&) = delete;

  void release() { CHECK(sem_post(&semaphore_) == 0); }
  void acquire() {
    while (sem_wait(&semaphore_) != 0) {
      CHECK(errno == EINTR);
    }
  }

 private:
  sem_t semaphore_;
};

/// Signals are for the main thread: while this lives, threads that start inherit a mask that
/// blocks all but those raised by a thread's own fault and by profilers.
class BlockedSignals {
 public:
  BlockedSignals() {
    sigset_t blocked;
    sigfillset(&blocked);
    for (const int own : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGTRAP, SIGSYS, SIGPROF}) {
      sigdelset(&blocked, own);
    }
    pthread_sigmask(SIG_SETMASK, &blocked, &before_);
  }
  ~BlockedSignals() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
  BlockedSignals(const BlockedSignals&) = delete;
  BlockedSignals& operator=(const BlockedSignals&) = delete;

 private:
  sigset_t before_{};
};

void run(const std::function<void()>& task) {
  bool threw = false;
  try {
    task();
  } catch (...) {
    threw = true;
  }
  CHECK(!threw);  // An exception that reaches the pool left its module: a defect.
}

}  // namespace

struct ThreadPool::State {
  struct Queue {
    std::deque<std::function<void()>> tasks;
    bool stopping = false;
  };

  // Invariant: tokens that are released and not acquired == queued tasks, plus one per live
  // thread once stopping. So a thread that acquired one finds a task, or may end.
  Semaphore tokens;
  Guarded<Queue> queue;
  std::atomic<std::size_t> queued = 0;
  std::atomic<std::size_t> busy = 0;
  std::size_t queue_max = 0;
  std::vector<std::thread> threads;

  bool push(std::function<void()>&& task, bool limited) {
    const bool pushed = queue.with([&](Queue& q) {
      if (limited && (q.stopping || q.tasks.size() >= queue_max)) {
        return false;
      }
      q.tasks.push_back(std::move(task));
      queued.store(q.tasks.size(), std::memory_order_relaxed);
      return true;
    });
    if (pushed) {
      tokens.release();
    }
    return pushed;
  }

  /// Empty when the thread may end.
  std::function<void()> pop() {
    return queue.with([&](Queue& q) -> std::function<void()> {
      if (q.tasks.empty()) {
        CHECK(q.stopping);
        return {};
      }
      std::function<void()> task = std::move(q.tasks.front());
      q.tasks.pop_front();
      queued.store(q.tasks.size(), std::memory_order_relaxed);
      return task;
    });
  }

  void work() {
    for (;;) {
      tokens.acquire();
      std::function<void()> task = pop();
      if (!task) {
        return;
      }
      busy.fetch_add(1, std::memory_order_relaxed);
      run(task);
      task = nullptr;  // What the task captured goes before the thread counts as idle.
      busy.fetch_sub(1, std::memory_order_relaxed);
    }
  }
};

ThreadPool::ThreadPool(Options options) : state_(std::make_unique<State>()) {
  CHECK(options.threads > 0);
  state_->queue_max = options.queue_max;
  const BlockedSignals blocked;
  for (std::size_t i = 0; i < options.threads; ++i) {
    const std::string suffix = "-" + std::to_string(i);
    const std::size_t prefix_max = std::min<std::size_t>(10, kThreadNameMax - suffix.size());
    std::string name = options.name.substr(0, prefix_max) + suffix;
    state_->threads.emplace_back([state = state_.get(), name = std::move(name)] {
      pthread_setname_np(pthread_self(), name.c_str());
      state->work();
    });
  }
}

ThreadPool::~ThreadPool() {
  state_->queue.with([](State::Queue& queue) { queue.stopping = true; });
  for (std::size_t i = 0; i < state_->threads.size(); ++i) {
    state_->tokens.release();
  }
  for (std::thread& thread : state_->threads) {
    thread.join();
  }
}

bool ThreadPool::try_submit(std::function<void()> task) {
  CHECK(task != nullptr);
  return state_->push(std::move(task), true);
}

void ThreadPool::submit_continuation(std::function<void()> task) {
  CHECK(task != nullptr);
  state_->push(std::move(task), false);
}

std::size_t ThreadPool::queued() const {
  return state_->queued.load(std::memory_order_relaxed);
}

std::size_t ThreadPool::busy() const {
  return state_->busy.load(std::memory_order_relaxed);
}

}  // namespace roadstead::sys
