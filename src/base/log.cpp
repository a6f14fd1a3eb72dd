#include "base/log.h"

#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <condition_variable>
#include <mutex>
#include <thread>

#include <fmt/format.h>

namespace roadstead::log {
namespace {

constexpr std::size_t kFlushAt = std::size_t{64} << 10U;
constexpr std::size_t kPendingMax = std::size_t{1} << 20U;
constexpr std::chrono::milliseconds kFlushEvery{100};

std::string_view name_of(Level level) {
  switch (level) {
    case Level::kDebug:
      return "debug";
    case Level::kInfo:
      return "info";
    case Level::kWarning:
      return "warning";
    case Level::kError:
      return "error";
  }
  return "?";
}

// What a character asks for: JSON string rules serve both formats, so no raw control character,
// quote or backslash survives; the text format puts quotes around values with these or with what
// ends a value.
constexpr unsigned kEscaped = 1;
constexpr unsigned kQuoted = 2;
constexpr std::array<unsigned char, 256> kNeeds = [] {
  std::array<unsigned char, 256> needs{};
  for (std::size_t c = 0; c < 0x20; ++c) {
    needs[c] = kEscaped | kQuoted;
  }
  needs['"'] = needs['\\'] = needs[0x7F] = kEscaped | kQuoted;
  needs[' '] = needs['='] = kQuoted;
  return needs;
}();

unsigned needs_of(std::string_view text) {
  unsigned needs = 0;
  for (const char c : text) {
    needs |= kNeeds[static_cast<unsigned char>(c)];
  }
  return needs;
}

using Line = fmt::basic_memory_buffer<char, 1024>;

void append(Line& out, std::string_view text) {
  out.append(text.data(), text.data() + text.size());
}

void append_escaped(Line& out, std::string_view text, unsigned needs) {
  if ((needs & kEscaped) == 0) {
    append(out, text);
    return;
  }
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      out.push_back('\\');
      out.push_back(c);
    } else if ((kNeeds[static_cast<unsigned char>(c)] & kEscaped) != 0) {
      fmt::format_to(std::back_inserter(out), "\\u{:04x}",
                     static_cast<unsigned>(static_cast<unsigned char>(c)));
    } else {
      out.push_back(c);
    }
  }
}

void append_escaped(Line& out, std::string_view text) {
  append_escaped(out, text, needs_of(text));
}

void append_value(Line& out, const Field& field, Format format) {
  if (const auto* number = std::get_if<std::int64_t>(&field.value)) {
    const fmt::format_int digits(*number);
    append(out, {digits.data(), digits.size()});
  } else if (const auto* real = std::get_if<double>(&field.value)) {
    fmt::format_to(std::back_inserter(out), "{:.6g}", *real);
  } else {
    const std::string_view text = std::get<std::string_view>(field.value);
    const unsigned needs = needs_of(text);
    const bool quoted = format == Format::kJson || text.empty() || (needs & kQuoted) != 0;
    append(out, quoted ? "\"" : "");
    append_escaped(out, text, needs);
    append(out, quoted ? "\"" : "");
  }
}

}  // namespace

struct Sink::State {
  State(int descriptor, Format line_format, Level lowest, const Clock& time)
      : fd(descriptor), format(line_format), level(lowest), clock(time) {}

  /// Appends one line to `pending`, or counts it as dropped. Called under the lock.
  void append(std::string_view line) {
    if (pending.size() + line.size() > kPendingMax) {
      ++dropped;
      return;
    }
    if (dropped > 0) {
      pending +=
          fmt::format("{} log lines dropped: the log is not being read fast enough\n", dropped);
      dropped = 0;
    }
    pending += line;
  }

  /// Takes what is pending and writes it outside the state lock; `writing` keeps the order of
  /// batches.
  void drain() {
    const std::lock_guard one_writer(writing);
    std::string batch;
    {
      const std::lock_guard lock(mutex);
      batch.swap(pending);
    }
    std::string_view rest = batch;
    while (!rest.empty()) {
      const ssize_t n = ::write(fd, rest.data(), rest.size());
      if (n < 0 && errno == EINTR) {
        continue;
      }
      if (n <= 0) {
        return;  // Nowhere to report a log that cannot be written.
      }
      rest.remove_prefix(static_cast<std::size_t>(n));
    }
  }

  void run() {
    std::unique_lock lock(mutex);
    while (!stopping) {
      wake.wait_for(lock, kFlushEvery, [&] { return stopping || pending.size() >= kFlushAt; });
      if (!pending.empty()) {
        lock.unlock();
        drain();
        lock.lock();
      } else if (!stopping) {
        // Idle: sleep until there is something, instead of waking ten times a second.
        wake.wait(lock, [&] { return stopping || !pending.empty(); });
      }
    }
  }

  const int fd;
  const Format format;
  std::atomic<Level> level;
  const Clock& clock;
  std::mutex mutex;
  std::mutex writing;
  std::condition_variable wake;
  std::string pending;
  std::uint64_t dropped = 0;
  bool stopping = false;
  std::thread thread;
};

Sink::Sink(int fd, Format format, Level level, const Clock& clock)
    : state_(std::make_unique<State>(fd, format, level, clock)) {
  state_->thread = std::thread([state = state_.get()] { state->run(); });
}

Sink::~Sink() {
  {
    const std::lock_guard lock(state_->mutex);
    state_->stopping = true;
  }
  state_->wake.notify_all();
  state_->thread.join();
  state_->drain();
}

void Sink::set_level(Level level) {
  state_->level.store(level, std::memory_order_relaxed);
}

bool Sink::enabled(Level level) const {
  return level >= state_->level.load(std::memory_order_relaxed);
}

void Sink::write(Level level, std::string_view request_id, std::string_view message,
                 std::initializer_list<Field> fields) {
  Line line;
  std::array<char, kRfc3339Length> time;
  format_rfc3339(state_->clock.now(), time);
  // Plain appends: this runs for every request, and format strings would be a tenth of its cost.
  const bool json = state_->format == Format::kJson;
  append(line, json ? "{\"time\":\"" : "");
  append(line, {time.data(), time.size()});
  append(line, json ? "\",\"level\":\"" : " ");
  append(line, name_of(level));
  append(line, json ? "\",\"message\":\"" : " ");
  append_escaped(line, message);
  append(line, json ? "\"" : "");
  if (!request_id.empty()) {
    append(line, json ? ",\"request_id\":\"" : " request_id=");
    append_escaped(line, request_id);
    append(line, json ? "\"" : "");
  }
  for (const Field& field : fields) {
    append(line, json ? ",\"" : " ");
    append(line, field.name);
    append(line, json ? "\":" : "=");
    append_value(line, field, state_->format);
  }
  append(line, json ? "}\n" : "\n");

  bool was_empty = false;
  bool full = false;
  {
    const std::lock_guard lock(state_->mutex);
    was_empty = state_->pending.empty();
    state_->append({line.data(), line.size()});
    full = state_->pending.size() >= kFlushAt;
  }
  if (level >= Level::kWarning) {
    state_->drain();
  } else if (was_empty || full) {
    state_->wake.notify_one();
  }
}

void Sink::flush() {
  state_->drain();
}

}  // namespace roadstead::log
