// A rehearsal of the collector: the same questions, answered with sets in memory for what earlier
// answers would have removed.
#include <map>
#include <set>

#include <fmt/format.h>

#include "registry/collect.h"
#include "registry/internal/queues.h"
#include "registry/internal/remover.h"
#include "registry/internal/reviewer.h"

namespace roadstead::registry {
namespace {

using internal::Question;
using internal::Standing;

constexpr std::size_t kPage = 500;
/// Of referrers of referrers; far deeper than any that is in use.
constexpr std::size_t kDepthMax = 500;

using Held = std::pair<RepositoryId, BlobId>;

Result<std::vector<Question>> due_after(db::ReadSession& session, Time& due, std::int64_t& id) {
  return session.all(
      "SELECT id, kind, repository_id, object_id, due_at FROM review WHERE due_at <= ? AND "
      "(due_at > ? OR (due_at = ? AND id > ?)) ORDER BY due_at, id LIMIT ?",
      {session.now(), due, due, id, kPage}, [&](const db::Row& row) {
        id = row.integer(0);
        due = row.time(4);
        return Question{id, std::string(row.text(1)), row.id<RepositoryId>(2), row.integer(3)};
      });
}

class Planner {
 public:
  Planner(db::Database& database, const Options& options, std::size_t max)
      : database_(database), options_(options), max_(max) {}

  Result<Plan> plan(bool delete_untagged) {
    TRY(read_questions());
    if (delete_untagged) {
      TRY(read_untagged());
    }
    TRY(settle_artifacts());
    TRY(settle_holds());
    TRY(settle_blobs());
    TRY(settle_manifests());
    return std::move(plan_);
  }

 private:
  [[nodiscard]] bool at_once() const { return options_.grace.count() == 0; }
  [[nodiscard]] bool over(std::optional<Time> condemned_at, Time now) const {
    return condemned_at ? *condemned_at + options_.grace <= now : at_once();
  }
  template <typename Set, typename Value>
  void note(Set& set, const Value& value) {
    if (set.size() >= max_) {
      plan_.complete = false;
      return;
    }
    set.insert(value);
  }

  void note_artifact(ArtifactId artifact) {
    if (artifacts_due_.size() >= max_) {
      plan_.complete = false;
      return;
    }
    artifacts_due_.push_back(artifact);
  }

  Result<void> read_questions() {
    Time due{};
    std::int64_t id = 0;
    for (bool more = true; more && plan_.complete;) {
      const auto page = TRY(
          database_.read([&](db::ReadSession& session) { return due_after(session, due, id); }));
      more = page.size() == kPage;
      for (const Question& question : page) {
        if (question.kind == to_string(internal::Review::kRepositoryBlob)) {
          note(holds_due_, Held{question.repository, BlobId{question.object}});
        } else if (question.kind == to_string(internal::Review::kArtifact)) {
          note_artifact(ArtifactId{question.object});
        } else if (question.kind == to_string(internal::Review::kBlob)) {
          note(blobs_due_, BlobId{question.object});
        } else if (question.kind == to_string(internal::Review::kManifest)) {
          note(manifests_due_, ManifestId{question.object});
        }
      }
    }
    return {};
  }

  /// Untagged artifacts are condemned by the run, so they go in it only without a grace period.
  Result<void> read_untagged() {
    if (!at_once()) {
      return {};
    }
    untagged_too_ = true;
    first_to_condemn_ = artifacts_due_.size();
    ArtifactId after{};
    for (bool more = true; more && plan_.complete;) {
      const auto page = TRY(database_.read([&](db::ReadSession& session) {
        return internal::untagged_after(session, after, kPage);
      }));
      more = page.size() == kPage;
      for (const ArtifactId artifact : page) {
        after = artifact;
        note_artifact(artifact);
        to_condemn_.insert(artifact);
      }
    }
    return {};
  }

  /// In the order in which a run asks, because what goes first decides what keeps what.
  Result<void> settle_artifacts() {
    for (std::size_t i = 0; i < artifacts_due_.size(); ++i) {
      const ArtifactId artifact = artifacts_due_[i];
      const auto settle = [&](db::ReadSession& session) -> Result<void> {
        const auto standing = TRY(internal::read_standing(session, artifact));
        if (!standing) {
          return {};
        }
        if (TRY(is_kept(session, artifact, true))) {
          reprieved_.insert(artifact);
          return {};
        }
        const bool condemned = standing->condemned_at && !reprieved_.contains(artifact);
        if (condemned && i >= first_to_condemn_ && to_condemn_.contains(artifact)) {
          return {};  // Condemned already: the question about it is on its way.
        }
        const bool goes = standing->leased_until <= session.now() &&
                          (condemned ? over(standing->condemned_at, session.now())
                                     : untagged_too_ || formerly_kept_.contains(artifact));
        return goes ? take_artifact(session, artifact, *standing, 0) : Result<void>();
      };
      TRY(database_.read(settle));
    }
    return {};
  }

  /// An artifact goes after what is attached to it; what only it contained is asked about later.
  Result<void> take_artifact(db::ReadSession& session, ArtifactId artifact,
                             const Standing& standing, std::size_t depth) {
    if (artifacts_.contains(artifact)) {
      return {};
    }
    if (artifacts_.size() >= max_ || depth >= kDepthMax) {
      plan_.complete = false;
      return {};
    }
    const auto attached =
        TRY(session.all("SELECT id FROM artifact WHERE repository_id = ? AND subject_digest = ? "
                        "ORDER BY id LIMIT ?",
                        {standing.repository, standing.digest, max_},
                        [](const db::Row& row) { return row.id<ArtifactId>(0); }));
    const bool they_stay = TRY(internal::keeps_referrers(session, standing.project));
    for (const ArtifactId referrer : attached) {
      if (they_stay) {
        break;
      }
      const auto its_standing = TRY(internal::read_standing(session, referrer));
      if (its_standing && !TRY(is_kept(session, referrer, false))) {
        TRY(take_artifact(session, referrer, *its_standing, depth + 1));
      }
    }
    artifacts_.insert(artifact);
    plan_.removed.push_back({Removed::Kind::kArtifact,
                             fmt::format("{}@{}", standing.repository_name, standing.digest), 0});
    TRY(remember_content(session, artifact));
    return at_once() ? ask_about_children(session, artifact) : Result<void>();
  }

  Result<void> ask_about_children(db::ReadSession& session, ArtifactId artifact) {
    const auto children =
        TRY(session.all("SELECT child_id FROM artifact_child WHERE artifact_id = ?", {artifact},
                        [](const db::Row& row) { return row.id<ArtifactId>(0); }));
    for (const ArtifactId child : children) {
      formerly_kept_.insert(child);
      artifacts_due_.push_back(child);
    }
    return {};
  }

  /// By a tag, or by a parent or subject that does not go itself.
  Result<bool> is_kept(db::ReadSession& session, ArtifactId artifact, bool by_subject) {
    const auto keepers = TRY(session.all(
        "SELECT 0 FROM tag WHERE artifact_id = ? UNION SELECT artifact_id FROM artifact_child "
        "WHERE "
        "child_id = ? UNION SELECT s.id FROM artifact a JOIN artifact s ON s.repository_id = "
        "a.repository_id AND s.digest = a.subject_digest WHERE a.id = ? AND 1 = ?",
        {artifact, artifact, artifact, by_subject ? 1 : 0},
        [](const db::Row& row) { return row.id<ArtifactId>(0); }));
    return std::any_of(keepers.begin(), keepers.end(), [&](const ArtifactId keeper) {
      return keeper.value == 0 || !artifacts_.contains(keeper);
    });
  }

  /// Its holds are asked about, and its manifest, as far as a run comes to that.
  Result<void> remember_content(db::ReadSession& session, ArtifactId artifact) {
    if (!at_once()) {
      return {};
    }
    TRY(session.each("SELECT repository_id, blob_id FROM artifact_blob WHERE artifact_id = ?",
                     {artifact}, [&](const db::Row& row) {
                       note(holds_due_, Held{row.id<RepositoryId>(0), row.id<BlobId>(1)});
                       return true;
                     }));
    return session.each("SELECT manifest_id FROM artifact WHERE id = ?", {artifact},
                        [&](const db::Row& row) {
                          note(manifests_due_, row.id<ManifestId>(0));
                          return true;
                        });
  }

  Result<void> settle_holds() {
    for (const Held& held : holds_due_) {
      const auto settle = [&](db::ReadSession& session) -> Result<void> {
        const auto [repository, blob] = held;
        const auto hold = TRY(internal::read_hold(session, repository, blob));
        if (!hold || hold->leased_until > session.now() ||
            !over(hold->condemned_at, session.now())) {
          return {};
        }
        const auto users = TRY(session.all(
            "SELECT artifact_id FROM artifact_blob WHERE repository_id = ? AND blob_id = ? LIMIT ?",
            {repository, blob, artifacts_.size() + 1},
            [](const db::Row& row) { return row.id<ArtifactId>(0); }));
        const bool needed = std::any_of(users.begin(), users.end(), [&](const ArtifactId user) {
          return !artifacts_.contains(user);
        });
        if (!needed) {
          holds_.insert(held);
          blobs_due_.insert(blob);
        }
        return {};
      };
      TRY(database_.read(settle));
    }
    return {};
  }

  Result<void> settle_blobs() {
    for (const BlobId blob : blobs_due_) {
      const auto settle = [&](db::ReadSession& session) -> Result<void> {
        const auto holders = TRY(session.all(
            "SELECT repository_id FROM repository_blob WHERE blob_id = ? LIMIT ?",
            {blob, holds_.size() + 1}, [](const db::Row& row) { return row.id<RepositoryId>(0); }));
        const bool held = std::any_of(holders.begin(), holders.end(), [&](RepositoryId holder) {
          return !holds_.contains({holder, blob});
        });
        if (held) {
          return {};
        }
        return session.each("SELECT digest, size FROM blob WHERE id = ?", {blob},
                            [&](const db::Row& row) {
                              plan_.removed.push_back(
                                  {Removed::Kind::kBlob, std::string(row.text(0)), row.integer(1)});
                              return true;
                            });
      };
      TRY(database_.read(settle));
    }
    return {};
  }

  Result<void> settle_manifests() {
    TRY(database_.read([&](db::ReadSession& session) {
      return session.each(
          "SELECT DISTINCT manifest_id FROM artifact_trash WHERE op_time <= ? LIMIT ?",
          {session.now() - options_.grace, max_}, [&](const db::Row& row) {
            note(manifests_due_, row.id<ManifestId>(0));
            return true;
          });
    }));
    for (const ManifestId manifest : manifests_due_) {
      const auto settle = [&](db::ReadSession& session) -> Result<void> {
        if (TRY(is_needed(session, manifest))) {
          return {};
        }
        return session.each(
            "SELECT digest, size FROM manifest WHERE id = ?", {manifest}, [&](const db::Row& row) {
              plan_.removed.push_back(
                  {Removed::Kind::kManifest, std::string(row.text(0)), row.integer(1)});
              return true;
            });
      };
      TRY(database_.read(settle));
    }
    return {};
  }

  /// By an artifact that stays, or by one that can be restored after the run still.
  Result<bool> is_needed(db::ReadSession& session, ManifestId manifest) {
    const auto users = TRY(session.all("SELECT id FROM artifact WHERE manifest_id = ? LIMIT ?",
                                       {manifest, artifacts_.size() + 1},
                                       [](const db::Row& row) { return row.id<ArtifactId>(0); }));
    // With a grace period, one that goes in this run can be restored after it.
    const bool used = std::any_of(users.begin(), users.end(), [&](const ArtifactId user) {
      return !at_once() || !artifacts_.contains(user);
    });
    const auto restorable = TRY(session.first(
        "SELECT 1 FROM artifact_trash WHERE manifest_id = ? AND op_time > ? LIMIT 1",
        {manifest, session.now() - options_.grace}, [](const db::Row&) { return true; }));
    return used || restorable;
  }

  db::Database& database_;
  const Options& options_;
  const std::size_t max_;
  bool untagged_too_ = false;
  std::set<Held> holds_due_;
  std::vector<ArtifactId> artifacts_due_;
  std::size_t first_to_condemn_ = 0;  ///< From here on `artifacts_due_` are the untagged ones.
  std::set<ArtifactId> to_condemn_;
  std::set<ArtifactId> formerly_kept_;  ///< Children of those that go.
  std::set<ArtifactId> reprieved_;      ///< Kept when asked about: not condemned any more.
  std::set<BlobId> blobs_due_;
  std::set<ManifestId> manifests_due_;
  std::set<ArtifactId> artifacts_;  ///< That go.
  std::set<Held> holds_;            ///< That go.
  Plan plan_;
};

}  // namespace

Result<Plan> plan_collection(db::Database& database, const Options& options, bool delete_untagged,
                             std::size_t max) {
  return Planner(database, options, max).plan(delete_untagged);
}

}  // namespace roadstead::registry
