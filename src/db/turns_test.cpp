#include "db/testing/turns.h"

#include <set>

#include <gtest/gtest.h>

namespace roadstead::db::testing {
namespace {

/// Two threads of `steps` steps each; every order that a search takes them in.
std::multiset<std::string> orders(std::size_t steps, std::size_t interruptions_max) {
  std::multiset<std::string> found;
  const auto run = [&](const std::vector<std::size_t>& choices) {
    Turns turns([] { return std::size_t{0}; });
    std::string order;
    std::vector<Turns::Actor> actors;
    for (const char name : {'a', 'b'}) {
      const std::size_t number = actors.size();
      actors.push_back({std::string(1, name), [&, name, number] {
                          for (std::size_t i = 0; i < steps; ++i) {
                            turns.await(number, "step");
                            order += name;
                          }
                        }});
    }
    auto play = turns.play(actors, choices);
    found.insert(order);
    return std::optional(std::move(play));
  };
  const Searched searched = search({interruptions_max, std::chrono::minutes{5}, 7}, run);
  for (const std::size_t left : searched.left) {
    EXPECT_EQ(left, 0U);
  }
  return found;
}

TEST(Turns, EverySearchedOrderIsPlayedOnce) {
  // All ways to mix two rows of three.
  const auto all = orders(3, 6);
  EXPECT_EQ(all.size(), 20U);
  EXPECT_EQ(std::set<std::string>(all.begin(), all.end()).size(), 20U);
}

TEST(Turns, InterruptionsAreCounted) {
  EXPECT_EQ(orders(2, 0), (std::multiset<std::string>{"aabb", "bbaa"}));
  EXPECT_EQ(orders(2, 1), (std::multiset<std::string>{"aabb", "bbaa", "abba", "baab"}));
}

}  // namespace
}  // namespace roadstead::db::testing
