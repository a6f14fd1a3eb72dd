#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <string>
#include <thread>
#include <vector>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "base/text.h"
#include "db/sqlite.h"
#include "sys/testing/scratch_directory.h"

namespace roadstead::db {
namespace {

constexpr int kWriters = 4;
constexpr std::size_t kAcknowledgedMin = 300;

Result<std::unique_ptr<SqliteDatabase>> open(const std::filesystem::path& path, const Clock& clock,
                                             log::Sink& sink) {
  SqliteOptions options;
  options.path = path;
  options.wal_size_max = 1U << 20U;  // Small, so that checkpoints happen meanwhile.
  return SqliteDatabase::open(options, clock, log::Logger(sink));
}

/// Two rows per function: after a crash there must be both or none.
Result<void> put_pair(WriteSession& session, const std::string& name) {
  for (const char* half : {"/a", "/b"}) {
    TRY(session.execute("INSERT INTO property (name, value, update_time) VALUES (?, ?, 0)",
                        {name + half, std::string(500, 'x')}));
  }
  return {};
}

/// The child: writes for ever and reports each acknowledged name as a line, until it is killed.
[[noreturn]] void write_until_killed(const std::filesystem::path& path, int report) {
  const SystemClock clock;
  log::Sink sink(2, log::Format::kText, log::Level::kError, clock);
  auto database = open(path, clock, sink);
  if (!database) {
    ::_exit(1);
  }
  std::vector<std::thread> writers;
  for (int writer = 0; writer < kWriters; ++writer) {
    writers.emplace_back([&, writer] {
      for (int n = 0;; ++n) {
        const std::string name = fmt::format("{}-{}", writer, n);
        if (!(*database)->write([&](WriteSession& session) { return put_pair(session, name); })) {
          ::_exit(2);
        }
        const std::string line = name + "\n";
        if (::write(report, line.data(), line.size()) < 0) {
          ::_exit(3);
        }
      }
    });
  }
  for (std::thread& writer : writers) {
    writer.join();
  }
  ::_exit(4);
}

/// What the child acknowledged before and until it died.
std::vector<std::string> kill_after_acknowledgements(pid_t child, int report) {
  std::string text;
  std::array<char, 4096> buffer = {};
  bool killed = false;
  for (;;) {
    const ssize_t size = ::read(report, buffer.data(), buffer.size());
    if (size <= 0) {
      break;
    }
    text.append(buffer.data(), static_cast<std::size_t>(size));
    const auto lines = static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n'));
    if (!killed && lines >= kAcknowledgedMin) {
      killed = true;
      ::kill(child, SIGKILL);
    }
  }
  int status = 0;
  EXPECT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) << status;
  std::vector<std::string> names;
  text.resize(text.rfind('\n'));
  for (const std::string_view line : split(text, '\n')) {
    names.emplace_back(line);
  }
  return names;
}

std::int64_t count_like(Database& database, std::string_view pattern) {
  return database
      .read([&](ReadSession& session) {
        return session.first("SELECT count(*) FROM property WHERE name LIKE ?", {pattern},
                             [](const Row& row) { return row.integer(0); });
      })
      .value()
      .value_or(-1);
}

TEST(SqliteDurability, AcknowledgedWritesSurviveSigkill) {
  const sys::testing::ScratchDirectory directory;
  const std::filesystem::path path = directory.path() / "roadstead.db";
  for (int round = 0; round < 3; ++round) {
    std::array<int, 2> ends = {};
    ASSERT_EQ(::pipe(ends.data()), 0);
    const std::filesystem::path round_path = path.string() + std::to_string(round);
    const pid_t child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      ::close(ends[0]);
      write_until_killed(round_path, ends[1]);
    }
    ::close(ends[1]);
    const std::vector<std::string> names = kill_after_acknowledgements(child, ends[0]);
    ::close(ends[0]);
    ASSERT_GE(names.size(), kAcknowledgedMin);

    const SystemClock clock;
    log::Sink sink(2, log::Format::kText, log::Level::kError, clock);
    const auto database = open(round_path, clock, sink);
    ASSERT_TRUE(database);
    for (const std::string& name : names) {
      EXPECT_EQ(count_like(**database, name + "/%"), 2) << name;
    }
    EXPECT_EQ(count_like(**database, "%/a"), count_like(**database, "%/b"));
  }
}

}  // namespace
}  // namespace roadstead::db
