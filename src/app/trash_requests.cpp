#include "app/trash_requests.h"

#include <algorithm>

#include <fmt/format.h>

#include "auth/project_access.h"
#include "json/json.h"
#include "model/digest.h"
#include "model/reference.h"
#include "registry/trash.h"

namespace roadstead::app {
namespace {

/// Answers are bounded, so pages and lines are.
constexpr std::int64_t kPageSize = 50;
constexpr std::size_t kTagsShown = 5;

std::string text_in(json::Value root, std::string_view name) {
  return std::string(root[name].as_string().value_or(""));
}

std::string some(const std::vector<std::string>& names) {
  const std::size_t shown = std::min(names.size(), kTagsShown);
  std::string text = fmt::format(
      "{}", fmt::join(names.begin(), names.begin() + static_cast<std::ptrdiff_t>(shown), ", "));
  if (names.size() > shown) {
    text += fmt::format(" and {} more", names.size() - shown);
  }
  return text;
}

std::string text_of(const registry::RestoredArtifact& restored) {
  std::string text = fmt::format("restored {}\n", restored.digest);
  if (!restored.tags.empty()) {
    text += fmt::format("tags: {}\n", some(restored.tags));
  }
  if (!restored.kept_tags.empty()) {
    text += fmt::format("these tags name something else by now and stay there: {}\n",
                        some(restored.kept_tags));
  }
  if (!restored.along.empty()) {
    text += fmt::format("with it: {}\n", some(restored.along));
  }
  return text;
}

Result<std::string> list(const TrashParts& parts, const auth::Principal& principal,
                         json::Value root) {
  const std::string name = text_in(root, "project");
  auth::ListQuery query;
  query.page = root["page"].as_int().value_or(1);
  query.page_size = kPageSize;
  const auto list_page =
      [&](db::ReadSession& session) -> Result<auth::Page<registry::TrashedArtifact>> {
    const auto access = TRY(auth::ProjectAccess::read(session, principal, name));
    if (!access) {
      return Error{Code::kNotFound, Subject::kProject, "there is no project " + name, {}};
    }
    return registry::list_trash(session, access->project(), text_in(root, "repository"), query);
  };
  const auto page = TRY(parts.database.read(list_page));
  std::string text;
  for (const registry::TrashedArtifact& item : page.items) {
    text += fmt::format("{}  {}@{}  deleted by {}{}{}\n", format_rfc3339(item.op_time),
                        item.repository, item.digest, item.operator_name,
                        item.tags.empty() ? "" : "  tags: " + some(item.tags),
                        item.subject.empty() ? "" : "  with " + item.subject);
  }
  return text + fmt::format("page {} of {} deleted artifacts\n", query.page, page.total);
}

Result<std::string> restore(const TrashParts& parts, const registry::Caller& caller,
                            json::Value root) {
  const auto repository = TRY(model::RepositoryName::parse(text_in(root, "repository")));
  const auto digest = TRY(model::Digest::parse(text_in(root, "digest")));
  const auto restored =
      TRY(registry::restore_artifact(parts.database, parts.options, caller, repository, digest,
                                     {.move_tags = root["move"].as_bool().value_or(false)}));
  return text_of(restored);
}

Result<std::string> restore_tag(const TrashParts& parts, const registry::Caller& caller,
                                json::Value root) {
  const auto repository = TRY(model::RepositoryName::parse(text_in(root, "repository")));
  const auto tag = TRY(model::Tag::parse(text_in(root, "tag")));
  registry::TagChoice choice;
  choice.move = root["move"].as_bool().value_or(false);
  if (const std::string digest = text_in(root, "digest"); !digest.empty()) {
    choice.digest = TRY(model::Digest::parse(digest));
  }
  const auto restored =
      TRY(registry::restore_tag(parts.database, parts.options, caller, repository, tag, choice));
  return text_of(restored);
}

Result<std::string> perform(const TrashParts& parts, json::Value root) {
  const std::string command = text_in(root, "command");
  const auto admin = TRY(parts.users.find("admin"));
  if (!admin) {
    return Error{Code::kNotFound, Subject::kUser, "there is no user admin", {}};
  }
  auth::Principal principal;
  principal.kind = auth::Principal::Kind::kUser;
  principal.user = admin->id;
  principal.name = "admin";
  if (command == "trash-list") {
    return list(parts, principal, root);
  }
  const registry::Caller caller{
      principal, auth::Permission::project(auth::Resource::kArtifact, auth::Action::kDelete)};
  return command == "trash-restore" ? restore(parts, caller, root)
                                    : restore_tag(parts, caller, root);
}

}  // namespace

std::optional<std::string> answer_trash_request(const TrashParts& parts, std::string_view request) {
  const auto document = json::Document::parse(request);
  if (!document || !text_in(document->root(), "command").starts_with("trash-")) {
    return std::nullopt;
  }
  const auto done = perform(parts, document->root());
  json::Writer answer;
  answer.begin_object();
  answer.member(done ? "text" : "error", done ? *done : done.error().message);
  answer.end_object();
  return answer.take();
}

}  // namespace roadstead::app
