#pragma once

#include <string>
#include <string_view>

#include "registry/testing/registry_bench.h"

namespace roadstead::registry::testing {

/// What holds at every moment and does not, a line each: what fsck looks at, the usage of each
/// project, the counted lists; nothing that is referred to is condemned or has lost its bytes, and
/// a question is on its way about everything that nothing refers to.
std::string broken_invariants(RegistryBench& bench);

/// Lets a long time pass and collects everything. Returns what could not be.
std::string collect_all(RegistryBench& bench);

/// After collect_all(): what is left although nothing refers to it.
std::string leftovers(RegistryBench& bench);

/// Whether a client can read this manifest and all its blobs; empty, or what it lacks.
std::string unreadable(RegistryBench& bench, const std::string& name, std::string_view manifest);
/// Whether a client can read this blob there.
bool blob_readable(RegistryBench& bench, const std::string& name, const model::Digest& digest);

}  // namespace roadstead::registry::testing
