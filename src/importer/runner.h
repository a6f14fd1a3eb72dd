#pragma once

#include <chrono>
#include <memory>
#include <optional>

#include "base/log.h"
#include "base/result.h"
#include "importer/distribution.h"

namespace roadstead::importer {

/// Runs imports on a thread of its own, one at a time, inside a server or a command. Thread-safe.
class Runner {
 public:
  struct Parts {
    db::Database& database;
    storage::BlobStore& store;
    storage::DigestLocks& locks;
    const registry::Options& options;
    log::Logger logger;
  };
  explicit Runner(const Parts& parts);
  /// Stops a running import.
  ~Runner();
  Runner(const Runner&) = delete;
  Runner& operator=(const Runner&) = delete;

  /// In the name of the first administrator. Errors: kConflict + kRequest while one runs; kNotFound
  /// + kUser before there is an administrator.
  Result<void> start(std::unique_ptr<SourceTree> source, const ImportOptions& options);

  struct Status {
    bool running = false;
    ImportReport progress;                        ///< While it runs.
    std::optional<Result<ImportReport>> outcome;  ///< Of the last one that ended.
  };
  [[nodiscard]] Status status() const { return wait({}); }
  /// The same, as soon as none runs, or after `limit`.
  [[nodiscard]] Status wait(std::chrono::milliseconds limit) const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace roadstead::importer
