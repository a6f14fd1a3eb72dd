#include "sys/thread_pool.h"

#include <pthread.h>

#include <array>
#include <atomic>
#include <future>
#include <latch>
#include <stdexcept>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

namespace roadstead::sys {
namespace {

TEST(ThreadPool, RunsEveryTaskOnceFromManySubmitters) {
  constexpr int kSubmitters = 4;
  constexpr int kTasks = 2000;
  constexpr std::size_t kAll = std::size_t{kSubmitters} * kTasks;
  std::atomic<int> runs = 0;
  {
    ThreadPool pool({.name = "test", .threads = 3, .queue_max = kAll});
    std::vector<std::thread> submitters;
    for (int s = 0; s < kSubmitters; ++s) {
      submitters.emplace_back([&] {
        for (int i = 0; i < kTasks; ++i) {
          ASSERT_TRUE(pool.try_submit([&] { ++runs; }));
        }
      });
    }
    for (std::thread& submitter : submitters) {
      submitter.join();
    }
  }
  EXPECT_EQ(runs, kSubmitters * kTasks);
}

TEST(ThreadPool, FullQueueRefusesTasksButTakesContinuations) {
  std::latch started(1);
  std::latch release(1);
  std::vector<int> order;
  {
    ThreadPool pool({.name = "test", .threads = 1, .queue_max = 1});
    ASSERT_TRUE(pool.try_submit([&] {
      started.count_down();
      release.wait();
    }));
    started.wait();
    EXPECT_EQ(pool.busy(), 1U);
    ASSERT_TRUE(pool.try_submit([&] { order.push_back(1); }));
    EXPECT_FALSE(pool.try_submit([&] { order.push_back(-1); }));
    pool.submit_continuation([&] { order.push_back(2); });
    EXPECT_EQ(pool.queued(), 2U);
    release.count_down();
  }
  EXPECT_EQ(order, (std::vector<int>{1, 2}));
}

TEST(ThreadPool, LargeSharesFillHalfOfTheQueue) {
  std::latch started(1);
  std::latch release(1);
  ThreadPool pool({.name = "test", .threads = 1, .queue_max = 5});
  ASSERT_TRUE(pool.try_submit([&] {
    started.count_down();
    release.wait();
  }));
  started.wait();
  for (int i = 0; i < 3; ++i) {
    EXPECT_TRUE(pool.try_submit([] {}, ThreadPool::Share::kLarge));
  }
  EXPECT_FALSE(pool.try_submit([] {}, ThreadPool::Share::kLarge));
  EXPECT_TRUE(pool.try_submit([] {}));
  EXPECT_TRUE(pool.try_submit([] {}));
  EXPECT_FALSE(pool.try_submit([] {}));
  release.count_down();
}

TEST(ThreadPool, ASlowQueueRefusesBeforeItIsFull) {
  constexpr std::size_t kAlwaysWaiting = 4;  // A thread.
  std::latch started(1);
  std::latch release(1);
  ThreadPool pool({.name = "test",
                   .threads = 1,
                   .queue_max = SIZE_MAX,
                   .wait_max = std::chrono::milliseconds(1)});
  ASSERT_TRUE(pool.try_submit([&] {
    started.count_down();
    release.wait();
  }));
  started.wait();
  // However fast this loop is: at some time the first of these tasks has waited too long.
  while (pool.try_submit([] {})) {
    std::this_thread::yield();
  }
  EXPECT_GE(pool.queued(), kAlwaysWaiting);
  EXPECT_FALSE(pool.try_submit([] {}, ThreadPool::Share::kLarge));
  release.count_down();
  // What waited is run, and then there is room again.
  while (!pool.try_submit([] {}, ThreadPool::Share::kLarge)) {
    std::this_thread::yield();
  }
}

TEST(ThreadPool, DestructionRunsContinuationsOfRunningTasks) {
  std::atomic<int> depth = 0;
  std::function<void()> next;
  {
    ThreadPool pool({.name = "test", .threads = 4, .queue_max = 4});
    next = [&] {
      if (++depth < 100) {
        pool.submit_continuation(next);
      }
    };
    ASSERT_TRUE(pool.try_submit(next));
  }
  EXPECT_EQ(depth, 100);
}

TEST(ThreadPool, StoppingPoolRefusesNewTasksAndRunsTheAdmittedOnes) {
  constexpr std::size_t kQueueMax = 10'000'000;
  std::atomic<std::size_t> admitted = 0;
  std::atomic<std::size_t> ran = 0;
  {
    ThreadPool pool({.name = "test", .threads = 1, .queue_max = kQueueMax});
    // Ends when the destructor has begun: nothing else makes this pool refuse.
    ASSERT_TRUE(pool.try_submit([&] {
      while (pool.try_submit([&] { ++ran; })) {
        ++admitted;
        std::this_thread::yield();
      }
    }));
  }
  EXPECT_LT(admitted, kQueueMax);
  EXPECT_EQ(ran, admitted);
}

TEST(ThreadPool, ThreadsAreNamed) {
  std::promise<std::string> name;
  ThreadPool pool({.name = "a-name-that-is-too-long", .threads = 1});
  ASSERT_TRUE(pool.try_submit([&] {
    std::array<char, 32> text{};
    pthread_getname_np(pthread_self(), text.data(), text.size());
    name.set_value(text.data());
  }));
  EXPECT_EQ(name.get_future().get(), "a-name-tha-0");
}

TEST(ThreadPoolDeathTest, ExceptionFromATaskAborts) {
  testing::GTEST_FLAG(death_test_style) = "threadsafe";
  EXPECT_DEATH(
      {
        ThreadPool pool({.name = "test", .threads = 1});
        pool.submit_continuation([] { throw std::runtime_error("x"); });
      },
      "invariant broken");
}

}  // namespace
}  // namespace roadstead::sys
