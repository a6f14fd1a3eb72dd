#include <unistd.h>

#include <benchmark/benchmark.h>

#include "auth/authenticator.h"
#include "auth/user_store.h"
#include "base/text.h"
#include "db/testing/scratch_database.h"

namespace roadstead::auth {
namespace {

constexpr const char* kPassword = "Oracle12345";
constexpr std::string_view kAddress = "10.0.0.1";

/// An authenticator on a scratch database with one user.
struct Bench {
  Bench() {
    user = users
               .create({.name = "alice",
                        .password = kPassword,
                        .profile = {.email = "alice@example.com", .realname = "A", .comment = ""}})
               .value();
  }
  /// A token for one repository, as a pull uses it.
  [[nodiscard]] std::string bearer() const {
    const auto principal = authenticator->authenticate(
        "Basic " + to_base64(bytes_of("alice:" + std::string(kPassword))), kAddress);
    const Access access{.scope = {.type = "repository", .name = "library/app"},
                        .actions = {"pull", "push"},
                        .project = ProjectId{1}};
    return "Bearer " + tokens.issue(principal.value(), {&access, 1}).token;
  }

  FakeClock clock{from_micros(1'700'000'000'000'000)};
  log::Sink sink{STDERR_FILENO, log::Format::kText, log::Level::kError, clock};
  db::testing::ScratchDatabase database = db::testing::open_scratch_database();
  PasswordPool passwords{{}};
  UserStore users{*database, passwords};
  TokenService tokens{clock, crypto::SigningKey::generate(2048).value(), {}};
  LoginThrottle throttle{clock};
  std::unique_ptr<Authenticator> authenticator = make_authenticator({.database = *database,
                                                                     .passwords = passwords,
                                                                     .tokens = tokens,
                                                                     .throttle = throttle,
                                                                     .clock = clock,
                                                                     .logger = log::Logger(sink)});
  UserId user;
};

/// The token of every request but the first: found by its hash.
void remembered_token(benchmark::State& state) {
  Bench bench;
  const std::string header = bench.bearer();
  for (auto _ : state) {
    benchmark::DoNotOptimize(bench.authenticator->try_authenticate(header, kAddress)->value());
  }
}
BENCHMARK(remembered_token);

/// As a client that keeps using its password pays.
void remembered_password(benchmark::State& state) {
  Bench bench;
  const std::string header = "Basic " + to_base64(bytes_of("alice:" + std::string(kPassword)));
  if (!bench.authenticator->authenticate(header, kAddress)) {
    state.SkipWithError("the password does not count");
    return;
  }
  for (auto _ : state) {
    benchmark::DoNotOptimize(bench.authenticator->try_authenticate(header, kAddress)->value());
  }
}
BENCHMARK(remembered_password);

}  // namespace
}  // namespace roadstead::auth
