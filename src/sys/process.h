#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"

namespace roadstead::sys {

/// Fills with bytes from the kernel's generator; aborts when there is none (a machine that cannot
/// have secrets).
void random_bytes(std::span<std::byte> into);
/// 128 random bits as a lower-case RFC 9562 version 4 UUID.
std::string random_uuid();
/// The lower-case text form of a UUID.
std::string uuid_text(std::span<const std::byte, 16> bytes);

/// The kernel's boot id: data that was written but not synced is void once it changes.
Result<std::string> boot_id();
/// The name of this machine, or of the container; "localhost" when it has none.
std::string host_name();
/// Tells systemd ("READY=1", "STOPPING=1", …) when NOTIFY_SOCKET is set; otherwise nothing.
void notify_supervisor(std::string_view state);

struct ProcessUsage {
  std::uint64_t resident_bytes = 0;
  double cpu_seconds = 0;  ///< user + system
  std::uint64_t open_descriptors = 0;
  std::uint64_t descriptor_limit = 0;
  double started_at_seconds = 0;  ///< Unix time
  std::uint64_t threads = 0;
};
ProcessUsage process_usage();

/// Keeps the heap of a process with many threads small: few arenas, and freed memory goes back to
/// the kernel. Call it before the first thread.
void bound_heap();

/// Raises the soft limit of open descriptors to the hard one.
void raise_descriptor_limit();

}  // namespace roadstead::sys
