#include "registry/testing/replica.h"

#include <algorithm>
#include <array>

#include "base/text.h"
#include "registry/collect.h"
#include "registry/internal/queues.h"
#include "registry/internal/reviewer.h"
#include "registry/trash.h"
#include "registry/upkeep.h"

namespace roadstead::registry::testing {
namespace {

constexpr std::size_t kCount = 50;

/// New rows that nobody looks at before COMMIT: when exactly they come makes no difference.
bool unnoticed(std::string_view sql) {
  constexpr std::array<std::string_view, 5> kAppended{
      "INSERT INTO event_outbox ", "INSERT INTO tag_history ", "INSERT INTO review ",
      "INSERT INTO quota_delta ", "INSERT INTO artifact_trash "};
  return std::any_of(kAppended.begin(), kAppended.end(),
                     [&](std::string_view text) { return sql.starts_with(text); });
}

}  // namespace

Replica::Replica(RegistryBench& bench, const Place& place)
    : bench_(bench),
      database_(bench.database.get(), place.turns, place.actor, {unnoticed, place.unlocked}),
      uploads_(database_, *bench.store, locks_, bench.options),
      admin_(bench.person(bench.admin)) {}

Caller Replica::caller(auth::Action action) const {
  return Caller{admin_, auth::Permission::project(auth::Resource::kRepository, action)};
}

Result<void> Replica::upload(const std::string& name, std::string_view content) {
  const auto session = TRY(uploads_.open_single(caller(auth::Action::kPush), repository(name),
                                                model::Algorithm::kSha256, content.size()));
  TRY(session->write(bytes_of(content)));
  return session->commit(model::Digest::of(content));
}

Result<void> Replica::mount(const std::string& name, std::string_view content,
                            const std::string& from) {
  const model::Digest digest = model::Digest::of(content);
  const bool mounted =
      TRY(uploads_.mount(caller(auth::Action::kPush), repository(name), digest, repository(from)));
  return mounted ? Result<void>()
                 : Error{Code::kNotFound, Subject::kBlob, "not mounted", digest.to_string()};
}

Result<void> Replica::push(const std::string& name, const std::string& tag_name,
                           std::string_view manifest) {
  const model::Reference reference = tag_name.empty()
                                         ? model::Reference(model::Digest::of(manifest))
                                         : model::Reference(tag(tag_name));
  TRY(put_manifest(database_, *bench_.store, bench_.options, caller(auth::Action::kPush),
                   {repository(name), reference, {}, manifest, {}}));
  return {};
}

Result<void> Replica::remove_manifest(const std::string& name, std::string_view manifest) {
  return delete_manifest(database_, bench_.options, caller(auth::Action::kDelete), repository(name),
                         model::Digest::of(manifest));
}

Result<void> Replica::remove_tag(const std::string& name, const std::string& tag_name) {
  return delete_tag(database_, bench_.options, caller(auth::Action::kDelete), repository(name),
                    tag(tag_name));
}

Result<void> Replica::remove_blob(const std::string& name, std::string_view content) {
  return delete_blob(database_, bench_.options, caller(auth::Action::kDelete), repository(name),
                     model::Digest::of(content));
}

Result<void> Replica::remove_repository(const std::string& name) {
  return delete_repository(database_, bench_.options, caller(auth::Action::kDelete),
                           repository(name));
}

Result<void> Replica::restore(const std::string& name, std::string_view manifest) {
  TRY(restore_artifact(database_, bench_.options, caller(auth::Action::kPush), repository(name),
                       model::Digest::of(manifest), {}));
  return {};
}

Result<void> Replica::review(std::size_t count) {
  const auto page = TRY(review_due(database_, bench_.options, {.count = count}));
  return page.postponed == 0 ? Result<void>()
                             : Error{Code::kInternal, Subject::kDatabase, page.problem, {}};
}

Result<void> Replica::review_hold(const std::string& name, std::string_view content) {
  return database_.write([&](db::WriteSession& session) -> Result<void> {
    const auto questions = TRY(session.all(
        "SELECT v.id, v.kind, v.repository_id, v.object_id, v.due_at FROM review v JOIN repository "
        "r ON r.id = v.repository_id JOIN blob b ON b.id = v.object_id WHERE v.kind = "
        "'repository_blob' AND r.full_name = ? AND b.digest = ? AND v.due_at <= ? LIMIT ?",
        {name, model::Digest::of(content).to_string(), session.now(), kCount},
        [](const db::Row& row) {
          return internal::Question{row.integer(0), std::string(row.text(1)),
                                    row.id<RepositoryId>(2), row.integer(3), row.time(4)};
        }));
    internal::Reviewer reviewer(session, bench_.options, true);
    for (const internal::Question& question : questions) {
      TRY(reviewer.answer(question));
    }
    return {};
  });
}

Result<void> Replica::condemn_untagged() {
  TRY(registry::condemn_untagged(database_, bench_.options, {}, kCount));
  return {};
}

Result<void> Replica::forget_trash() {
  TRY(registry::forget_trash(database_, bench_.options, kCount));
  return {};
}

Result<void> Replica::empty_store() {
  TRY(remove_from_store(database_, *bench_.store, locks_, {kCount, 1}));
  return {};
}

Result<void> Replica::fold_quota() {
  TRY(registry::fold_quota(database_, kCount));
  return {};
}

}  // namespace roadstead::registry::testing
