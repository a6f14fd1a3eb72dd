#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "base/result.h"
#include "db/testing/turns.h"
#include "registry/testing/registry_bench.h"
#include "storage/digest_locks.h"

namespace roadstead::registry::testing {

/// One of several processes over one database server and one object store, whose transactions wait
/// for their turn at each statement. Operations are asked for by an administrator and return what a
/// client would be told. Used by one thread.
class Replica {
 public:
  struct Place {
    db::testing::Turns& turns;
    std::size_t actor = 0;
    std::string unlocked = {};  ///< SteppedDatabase::Habits.
  };
  Replica(RegistryBench& bench, const Place& place);

  /// In a single request.
  Result<void> upload(const std::string& name, std::string_view content);
  /// kNotFound + kBlob when there is nothing to mount.
  Result<void> mount(const std::string& name, std::string_view content, const std::string& from);
  /// Under its digest when `tag` is empty.
  Result<void> push(const std::string& name, const std::string& tag, std::string_view manifest);
  Result<void> remove_manifest(const std::string& name, std::string_view manifest);
  Result<void> remove_tag(const std::string& name, const std::string& tag);
  Result<void> remove_blob(const std::string& name, std::string_view content);
  Result<void> remove_repository(const std::string& name);
  Result<void> restore(const std::string& name, std::string_view manifest);
  /// The collector's steps. kInternal when it could not answer a question.
  Result<void> review(std::size_t count);
  /// Answers the one question that is due about a repository's hold, whatever else is due, as the
  /// collector does when a page of questions failed.
  Result<void> review_hold(const std::string& name, std::string_view content);
  Result<void> condemn_untagged();
  Result<void> forget_trash();
  Result<void> empty_store();
  Result<void> fold_quota();

 private:
  [[nodiscard]] Caller caller(auth::Action action) const;

  RegistryBench& bench_;
  db::testing::SteppedDatabase database_;
  storage::DigestLocks locks_;
  Uploads uploads_;
  auth::Principal admin_;
};

}  // namespace roadstead::registry::testing
