#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "base/guarded.h"
#include "base/result.h"
#include "base/strong_id.h"
#include "registry/internal/upload_writer.h"

namespace roadstead::registry::internal {

/// A request of this process that writes into an upload now. Owned by the request's session and,
/// so that a later request can stop it, by the table below.
struct ActiveUpload {
  ActiveUpload(std::int64_t own_turn, ProjectId own_project)
      : turn(own_turn), project(own_project) {}

  /// Grows with every request of the same upload: the later one has it.
  const std::int64_t turn;
  const ProjectId project;
  /// Bytes beyond the row's offset that this request has written or announced, whichever is more.
  std::atomic<std::uint64_t> reserved{0};

  /// Held while the writer works, also across its I/O: waiting for it is how a later request waits
  /// until this one has stopped writing.
  std::mutex mutex;
  bool superseded = false;               ///< Under `mutex`.
  std::unique_ptr<UploadWriter> writer;  ///< Under `mutex`.
};

/// The requests that are writing, by upload. Thread-safe.
class ActiveUploads {
 public:
  /// Enters `upload`, whose mutex the caller holds, and makes an earlier request of the same upload
  /// let go of its writer. False when a later one is there already.
  bool enter(const std::string& id, const std::shared_ptr<ActiveUpload>& upload);
  /// Takes `upload` out, if it is still the one that is there.
  void leave(const std::string& id, const ActiveUpload* upload);
  /// Makes whoever writes into the upload let go.
  void stop(const std::string& id);
  [[nodiscard]] bool contains(const std::string& id) const;
  [[nodiscard]] std::size_t count() const;
  /// Sum of what the requests of a project have reserved.
  [[nodiscard]] std::uint64_t reserved(ProjectId project) const;

 private:
  using Table = std::map<std::string, std::shared_ptr<ActiveUpload>>;
  Guarded<Table> table_;
};

}  // namespace roadstead::registry::internal
