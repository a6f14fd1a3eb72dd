#include "app/redis_debts.h"

#include <algorithm>

#include "base/text.h"
#include "crypto/hasher.h"

namespace roadstead::app {
namespace {

/// Of the 32 bytes of an HMAC: enough for keys never to be the same by chance.
constexpr std::size_t kNameBytes = 16;

constexpr std::string_view kOwed =
    "local times = {} "
    "for i, key in ipairs(KEYS) do times[i] = math.max(redis.call('PTTL', key), 0) end "
    "return times";
/// ARGV: the time and the most of each key.
constexpr std::string_view kAdd =
    "for i, key in ipairs(KEYS) do "
    "local time = math.max(redis.call('PTTL', key), 0) + tonumber(ARGV[2 * i - 1]) "
    "time = math.min(time, tonumber(ARGV[2 * i])) "
    "if time > 0 then redis.call('SET', key, '', 'PX', time) end end";
constexpr std::string_view kSet =
    "for i, key in ipairs(KEYS) do local time = tonumber(ARGV[2 * i - 1]) "
    "if time > 0 then redis.call('SET', key, '', 'PX', time) else redis.call('DEL', key) end end";

Result<redis::Reply> evaluate(redis::Client& client, std::string_view script,
                              const std::vector<std::string>& names,
                              const std::vector<std::string>& arguments = {}) {
  const std::string count = std::to_string(names.size());
  std::vector<std::string_view> words{"EVAL", script, count};
  words.insert(words.end(), names.begin(), names.end());
  words.insert(words.end(), arguments.begin(), arguments.end());
  return client.command(words);
}

}  // namespace

std::string RedisDebts::name_of(std::string_view key) const {
  const std::string mac = crypto::hmac_sha256(secret_, key);
  return "roadstead:signin:" + to_hex(bytes_of(mac).first(kNameBytes));
}

std::optional<std::vector<auth::SharedDebts::Milliseconds>> RedisDebts::owed(
    std::span<const std::string> keys) {
  std::vector<std::string> names;
  for (const std::string& key : keys) {
    names.push_back(name_of(key));
  }
  const auto reply = evaluate(client_, kOwed, names);
  const auto numbers =
      reply ? reply->integers(keys.size()) : Result<std::vector<std::int64_t>>(reply.error());
  if (!numbers) {
    return std::nullopt;  // The client has told why, and counts it.
  }
  return std::vector<Milliseconds>(numbers->begin(), numbers->end());
}

void RedisDebts::change(std::string_view script, std::span<const Debt> debts) {
  std::vector<std::string> names;
  std::vector<std::string> arguments;
  for (const Debt& debt : debts) {
    names.push_back(name_of(debt.key));
    arguments.push_back(std::to_string(debt.time.count()));
    arguments.push_back(std::to_string(debt.most.count()));
  }
  static_cast<void>(evaluate(client_, script, names, arguments));
}

void RedisDebts::add(std::span<const Debt> debts) {
  change(kAdd, debts);
}

void RedisDebts::set(std::span<const Debt> debts) {
  change(kSet, debts);
}

void export_redis(metrics::Registry& metrics, const redis::Client& client) {
  auto& commands = metrics.gauge("roadstead_redis_commands_total", "Commands sent to Redis");
  auto& failures = metrics.gauge("roadstead_redis_failures_total",
                                 "Commands to Redis that were not answered as they should");
  auto& refused = metrics.gauge("roadstead_redis_refused_total",
                                "Commands that were not sent because Redis was away");
  auto& losses = metrics.gauge("roadstead_redis_losses_total", "How often Redis went away");
  auto& connections = metrics.gauge("roadstead_redis_connections", "Open connections to Redis");
  auto& up = metrics.gauge("roadstead_redis_up", "Whether Redis is used: 0 while it is away");
  metrics.before_scrape([&] {
    const redis::Client::Statistics statistics = client.statistics();
    commands.set(static_cast<double>(statistics.commands));
    failures.set(static_cast<double>(statistics.failures));
    refused.set(static_cast<double>(statistics.refused));
    losses.set(static_cast<double>(statistics.losses));
    connections.set(static_cast<double>(statistics.connections));
    up.set(statistics.away ? 0 : 1);
  });
}

}  // namespace roadstead::app
