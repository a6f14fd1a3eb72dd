#include "sys/process.h"

#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <set>

#include <gtest/gtest.h>

#include "base/clock.h"
#include "base/text.h"
#include "sys/file.h"
#include "sys/testing/scratch_directory.h"

namespace roadstead::sys {
namespace {

TEST(Random, FillsEveryByte) {
  std::array<std::byte, 1000> bytes{};
  random_bytes(bytes);
  std::set<std::byte> seen(bytes.begin(), bytes.end());
  EXPECT_GT(seen.size(), 100U);  // About 251 of 256 are expected.
  std::array<std::byte, 1000> again{};
  random_bytes(again);
  EXPECT_NE(bytes, again);
}

TEST(Random, UuidIsVersionFour) {
  std::set<std::string> seen;
  for (int i = 0; i < 100; ++i) {
    const std::string uuid = random_uuid();
    ASSERT_EQ(uuid.size(), 36U);
    for (std::size_t at = 0; at < uuid.size(); ++at) {
      const bool dash = at == 8 || at == 13 || at == 18 || at == 23;
      const char c = uuid[at];
      ASSERT_TRUE(dash ? c == '-' : is_digit(c) || (c >= 'a' && c <= 'f')) << uuid;
    }
    EXPECT_EQ(uuid[14], '4') << uuid;
    EXPECT_NE(std::string_view("89ab").find(uuid[19]), std::string_view::npos) << uuid;
    EXPECT_TRUE(seen.insert(uuid).second);
  }
}

TEST(Process, BootIdIsStable) {
  const std::string id = boot_id().value();
  EXPECT_EQ(id.size(), 36U);
  EXPECT_EQ(boot_id().value(), id);
}

/// A supervisor's socket under `name`, as NOTIFY_SOCKET gives it.
class Supervisor {
 public:
  explicit Supervisor(const std::string& name)
      : descriptor_(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, name.data(), name.size());
    if (name[0] == '@') {
      address.sun_path[0] = '\0';
    }
    const auto length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + name.size());
    EXPECT_EQ(::bind(descriptor_, reinterpret_cast<const sockaddr*>(&address), length), 0);
    ::setenv("NOTIFY_SOCKET", name.c_str(), 1);
  }
  ~Supervisor() {
    ::unsetenv("NOTIFY_SOCKET");
    ::close(descriptor_);
  }
  [[nodiscard]] std::string received() const {
    std::array<char, 256> buffer{};
    const ssize_t n = ::recv(descriptor_, buffer.data(), buffer.size(), 0);
    return n < 0 ? "(nothing)" : std::string(buffer.data(), static_cast<std::size_t>(n));
  }

 private:
  int descriptor_;
};

TEST(Supervisor, IsToldThroughASocketFile) {
  const testing::ScratchDirectory scratch;
  const Supervisor supervisor((scratch.path() / "notify").string());
  notify_supervisor("READY=1");
  EXPECT_EQ(supervisor.received(), "READY=1");
}

TEST(Supervisor, IsToldThroughAnAbstractSocket) {
  const Supervisor supervisor("@roadstead-test-" + random_uuid());
  notify_supervisor("STOPPING=1");
  EXPECT_EQ(supervisor.received(), "STOPPING=1");
}

TEST(Supervisor, AbsentOrMalformedOneIsIgnored) {
  ::unsetenv("NOTIFY_SOCKET");
  notify_supervisor("READY=1");
  for (const std::string& name : {std::string(), std::string("@"), std::string("relative"),
                                  std::string("/nowhere/notify"), "/" + std::string(200, 'x')}) {
    ::setenv("NOTIFY_SOCKET", name.c_str(), 1);
    notify_supervisor("READY=1");
  }
  ::unsetenv("NOTIFY_SOCKET");
}

TEST(Process, UsageIsPlausible) {
  const ProcessUsage before = process_usage();
  EXPECT_GT(before.resident_bytes, std::uint64_t{1} << 20);
  EXPECT_GT(before.descriptor_limit, 0U);
  EXPECT_GE(before.threads, 1U);
  const double now = static_cast<double>(to_micros(SystemClock().now())) * 1e-6;
  EXPECT_NEAR(before.started_at_seconds, now, 600);

  const testing::ScratchDirectory scratch;
  const File a = File::open(scratch.path() / "a", File::Mode::kCreateNew).value();
  const File b = File::open(scratch.path() / "b", File::Mode::kCreateNew).value();
  const ProcessUsage after = process_usage();
  EXPECT_EQ(after.open_descriptors, before.open_descriptors + 2);
  EXPECT_GE(after.cpu_seconds, before.cpu_seconds);
}

TEST(Process, DescriptorLimitRises) {
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
  rlimit low = before;
  low.rlim_cur = 64;
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &low), 0);
  raise_descriptor_limit();
  EXPECT_EQ(process_usage().descriptor_limit, before.rlim_max);
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &before), 0);
}

}  // namespace
}  // namespace roadstead::sys
