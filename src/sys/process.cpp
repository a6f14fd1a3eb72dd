#include "sys/process.h"

#include <errno.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <string>

#include <malloc.h>

#include "base/check.h"
#include "base/text.h"
#include "sys/file.h"

namespace roadstead::sys {
namespace {

constexpr std::size_t kProcFileMax = std::size_t{1} << 20;

double seconds_of(const timeval& time) {
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) * 1e-6;
}

/// Field `number` of proc_pid_stat(5), counted from 1 as there. The second one, the program's
/// name, may hold spaces and parentheses, so counting starts behind its end.
std::uint64_t stat_field(std::string_view stat, std::size_t number) {
  constexpr std::size_t kFirstBehindName = 3;
  const std::size_t name_end = stat.rfind(") ");
  if (name_end == std::string_view::npos) {
    return 0;
  }
  const auto fields = split(stat.substr(name_end + 2), ' ');
  const std::size_t index = number - kFirstBehindName;
  return index < fields.size() ? parse_uint64(fields[index]).value_or(0) : 0;
}

/// Unix time of the kernel's start.
std::uint64_t boot_time() {
  const Result<std::string> text = read_file("/proc/stat", kProcFileMax);
  if (!text) {
    return 0;
  }
  constexpr std::string_view kName = "btime ";
  for (const std::string_view line : split(*text, '\n')) {
    if (line.starts_with(kName)) {
      return parse_uint64(line.substr(kName.size())).value_or(0);
    }
  }
  return 0;
}

std::uint64_t count_descriptors() {
  // Linux 6.2 and later tell the number as the directory's size.
  struct stat status{};
  if (::stat("/proc/self/fd", &status) == 0 && status.st_size > 0) {
    return static_cast<std::uint64_t>(status.st_size);
  }
  const Result<std::vector<std::string>> names = list_directory("/proc/self/fd");
  return names && !names->empty() ? names->size() - 1 : 0;  // One of them was for the listing.
}

}  // namespace

void random_bytes(std::span<std::byte> into) {
  while (!into.empty()) {
    const ssize_t n = ::getrandom(into.data(), into.size(), 0);
    CHECK(n > 0 || errno == EINTR);
    if (n > 0) {
      into = into.subspan(static_cast<std::size_t>(n));
    }
  }
}

std::string random_uuid() {
  std::array<std::byte, 16> bytes;
  random_bytes(bytes);
  bytes[6] = (bytes[6] & std::byte{0x0f}) | std::byte{0x40};  // Version 4.
  bytes[8] = (bytes[8] & std::byte{0x3f}) | std::byte{0x80};  // The variant of RFC 9562.
  return uuid_text(bytes);
}

std::string uuid_text(std::span<const std::byte, 16> bytes) {
  std::string text = to_hex(bytes);
  for (const std::size_t dash : {8U, 13U, 18U, 23U}) {
    text.insert(dash, 1, '-');
  }
  return text;
}

Result<std::string> boot_id() {
  std::string id = TRY(read_file("/proc/sys/kernel/random/boot_id", 128));
  while (!id.empty() && id.back() == '\n') {
    id.pop_back();
  }
  if (id.empty()) {
    return Error{Code::kInternal, Subject::kNone, "the kernel has no boot id", {}};
  }
  return id;
}

std::string host_name() {
  std::array<char, 256> name{};
  return ::gethostname(name.data(), name.size() - 1) == 0 && name[0] != '\0' ? name.data()
                                                                             : "localhost";
}

void notify_supervisor(std::string_view state) {
  const char* name = std::getenv("NOTIFY_SOCKET");
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::size_t length = name == nullptr ? 0 : std::strlen(name);
  if (length < 2 || length >= sizeof(address.sun_path) || (name[0] != '/' && name[0] != '@')) {
    return;
  }
  std::memcpy(address.sun_path, name, length);
  if (name[0] == '@') {
    address.sun_path[0] = '\0';  // A name in the abstract namespace, as sd_notify(3) spells it.
  }
  const int descriptor = ::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (descriptor == -1) {
    return;
  }
  const auto address_length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + length);
  // A supervisor that does not listen is none of our errors.
  static_cast<void>(::sendto(descriptor, state.data(), state.size(), MSG_NOSIGNAL,
                             reinterpret_cast<const sockaddr*>(&address), address_length));
  ::close(descriptor);
}

ProcessUsage process_usage() {
  ProcessUsage usage;
  rusage spent{};
  if (::getrusage(RUSAGE_SELF, &spent) == 0) {
    usage.cpu_seconds = seconds_of(spent.ru_utime) + seconds_of(spent.ru_stime);
  }
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) == 0) {
    usage.descriptor_limit = limit.rlim_cur;
  }
  usage.open_descriptors = count_descriptors();
  const Result<std::string> stat = read_file("/proc/self/stat", kProcFileMax);
  if (stat) {
    const double ticks = static_cast<double>(::sysconf(_SC_CLK_TCK));
    usage.threads = stat_field(*stat, 20);
    usage.started_at_seconds =
        static_cast<double>(boot_time()) + static_cast<double>(stat_field(*stat, 22)) / ticks;
    usage.resident_bytes =
        stat_field(*stat, 24) * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
  }
  return usage;
}

void bound_heap() {
  // The C library gives nearly every thread an arena of its own and raises the size above which
  // memory is returned with every large buffer: after a mixed load that kept 122 MB where 25 MB are
  // in use.
  constexpr int kArenas = 4;
  constexpr int kReturnAbove = 1 << 20;
  mallopt(M_ARENA_MAX, kArenas);
  mallopt(M_MMAP_THRESHOLD, kReturnAbove);
  mallopt(M_TRIM_THRESHOLD, kReturnAbove);
}

void raise_descriptor_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
    limit.rlim_cur = limit.rlim_max;
    ::setrlimit(RLIMIT_NOFILE, &limit);
  }
}

}  // namespace roadstead::sys
