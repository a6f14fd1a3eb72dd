#include "base/log.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>

#include <gtest/gtest.h>

namespace roadstead::log {
namespace {

class Pipe {
 public:
  Pipe() { EXPECT_EQ(::pipe2(ends_.data(), O_CLOEXEC | O_NONBLOCK), 0); }
  ~Pipe() {
    ::close(ends_[0]);
    ::close(ends_[1]);
  }
  [[nodiscard]] int writer() const { return ends_[1]; }
  [[nodiscard]] std::string read() const {
    std::string out(65536, '\0');
    const ssize_t n = ::read(ends_[0], out.data(), out.size());
    out.resize(n > 0 ? static_cast<std::size_t>(n) : 0);
    return out;
  }

 private:
  std::array<int, 2> ends_{};
};

const Time kNow = from_micros(1'795'419'110'123'456);

TEST(Log, TextLineHasIdAndFields) {
  const Pipe pipe;
  const FakeClock clock(kNow);
  Sink sink(pipe.writer(), Format::kText, Level::kInfo, clock);
  Logger(sink, "r-1").warning("slow request", {{"bytes", 12}, {"path", "/v2/a b"}});
  EXPECT_EQ(
      pipe.read(),
      "2026-11-23T07:31:50.123Z warning slow request request_id=r-1 bytes=12 path=\"/v2/a b\"\n");
}

TEST(Log, InputCannotForgeALine) {
  const Pipe pipe;
  const FakeClock clock(kNow);
  Sink sink(pipe.writer(), Format::kJson, Level::kInfo, clock);
  Logger(sink).error("x", {{"user", "eve\"}\n{\"level\":\"info"}});
  EXPECT_EQ(pipe.read(),
            "{\"time\":\"2026-11-23T07:31:50.123Z\",\"level\":\"error\",\"message\":\"x\","
            "\"user\":\"eve\\\"}\\u000a{\\\"level\\\":\\\"info\"}\n");
}

TEST(Log, LevelFiltersAndFlushWritesGatheredLines) {
  const Pipe pipe;
  const FakeClock clock(kNow);
  Sink sink(pipe.writer(), Format::kText, Level::kInfo, clock);
  Logger(sink).debug("hidden");
  Logger(sink).info("shown");
  sink.flush();
  const std::string written = pipe.read();
  EXPECT_NE(written.find("shown"), std::string::npos);
  EXPECT_EQ(written.find("hidden"), std::string::npos);
}

}  // namespace
}  // namespace roadstead::log
