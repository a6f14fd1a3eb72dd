#include "sys/thread_pool.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <deque>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include <semaphore.h>

#include "base/check.h"
#include "base/guarded.h"

namespace roadstead::sys {
namespace {

constexpr std::size_t kWaitingPerThreadMin = 4;
constexpr int kMeanOver = 128;  // Tasks: several rounds of all threads, which often end together.
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
  using Time = std::chrono::steady_clock::time_point;
  struct Worker {
    Semaphore wake;
    std::function<void()> task;  ///< Handed over before `wake`; empty: look again.
  };
  struct Queue {
    std::deque<std::function<void()>> tasks;  ///< Empty while a worker is idle.
    /// The one that worked last is woken first: its stack and the core's caches are warm, and
    /// threads that are not needed stay asleep.
    std::vector<Worker*> idle;
    // Only where a time to wait is set: when the first task came to its place, and the mean time
    // that one is there.
    Time first_since;
    std::chrono::nanoseconds per_task{0};
    bool stopping = false;
  };

  Guarded<Queue> queue;
  std::atomic<std::size_t> queued = 0;
  std::atomic<std::size_t> busy = 0;
  std::size_t queue_max = 0;
  std::size_t waiting_min = 0;
  std::chrono::nanoseconds wait_max{0};
  std::deque<Worker> workers;
  std::vector<std::thread> threads;

  bool admits(const Queue& q, Share share) const {
    const std::size_t part = share == Share::kLarge ? 2 : 1;
    if (q.stopping || q.tasks.size() >= queue_max / part + queue_max % part) {
      return false;
    }
    if (wait_max.count() == 0 || q.tasks.size() < waiting_min) {
      return true;
    }
    // Not the age of the first task: until that reaches the limit, the queue fills as fast as
    // others like to fill it, with more than can be done in that time.
    const auto count = static_cast<std::chrono::nanoseconds::rep>(q.tasks.size());
    return count * q.per_task + (read_clock() - q.first_since) <= wait_max / part;
  }

  [[nodiscard]] Time read_clock() const {
    return wait_max.count() == 0 ? Time() : std::chrono::steady_clock::now();
  }

  bool push(std::function<void()>&& task, std::optional<Share> limited) {
    Worker* woken = nullptr;
    const bool pushed = queue.with([&](Queue& q) {
      if (limited && !admits(q, *limited)) {
        return false;
      }
      if (!q.idle.empty()) {
        woken = q.idle.back();
        q.idle.pop_back();
        woken->task = std::move(task);
        return true;
      }
      if (q.tasks.empty()) {
        q.first_since = read_clock();
      }
      q.tasks.push_back(std::move(task));
      queued.store(q.tasks.size(), std::memory_order_relaxed);
      return true;
    });
    if (woken != nullptr) {
      woken->wake.release();
    }
    return pushed;
  }

  enum class Next { kTask, kWait, kEnd };
  Next take(Worker& worker) {
    return queue.with([&](Queue& q) {
      if (!q.tasks.empty()) {
        const Time now = read_clock();
        q.per_task += (now - q.first_since - q.per_task) / kMeanOver;
        q.first_since = now;
        worker.task = std::move(q.tasks.front());
        q.tasks.pop_front();
        queued.store(q.tasks.size(), std::memory_order_relaxed);
        return Next::kTask;
      }
      if (q.stopping) {
        return Next::kEnd;
      }
      q.idle.push_back(&worker);
      return Next::kWait;
    });
  }

  void work(Worker& worker) {
    for (;;) {
      const Next next = take(worker);
      if (next == Next::kEnd) {
        return;
      }
      if (next == Next::kWait) {
        worker.wake.acquire();
      }
      if (!worker.task) {
        continue;
      }
      busy.fetch_add(1, std::memory_order_relaxed);
      run(worker.task);
      worker.task = nullptr;  // What it captured goes before the thread counts as idle.
      busy.fetch_sub(1, std::memory_order_relaxed);
    }
  }

  void stop() {
    const std::vector<Worker*> idle = queue.with([](Queue& q) {
      q.stopping = true;
      return std::exchange(q.idle, {});
    });
    for (Worker* worker : idle) {
      worker->wake.release();
    }
  }
};

ThreadPool::ThreadPool(const Options& options) : state_(std::make_unique<State>()) {
  CHECK(options.threads > 0);
  state_->queue_max = options.queue_max;
  state_->waiting_min = options.threads * kWaitingPerThreadMin;
  state_->wait_max = options.wait_max;
  const BlockedSignals blocked;
  for (std::size_t i = 0; i < options.threads; ++i) {
    const std::string suffix = "-" + std::to_string(i);
    const std::size_t prefix_max = std::min<std::size_t>(10, kThreadNameMax - suffix.size());
    std::string name = options.name.substr(0, prefix_max) + suffix;
    State::Worker& worker = state_->workers.emplace_back();
    state_->threads.emplace_back([state = state_.get(), &worker, name = std::move(name)] {
      pthread_setname_np(pthread_self(), name.c_str());
      state->work(worker);
    });
  }
}

ThreadPool::~ThreadPool() {
  state_->stop();
  for (std::thread& thread : state_->threads) {
    thread.join();
  }
}

bool ThreadPool::try_submit(std::function<void()> task, Share share) {
  CHECK(task != nullptr);
  return state_->push(std::move(task), share);
}

void ThreadPool::submit_continuation(std::function<void()> task) {
  CHECK(task != nullptr);
  state_->push(std::move(task), std::nullopt);
}

std::size_t ThreadPool::queued() const {
  return state_->queued.load(std::memory_order_relaxed);
}

std::size_t ThreadPool::busy() const {
  return state_->busy.load(std::memory_order_relaxed);
}

}  // namespace roadstead::sys
