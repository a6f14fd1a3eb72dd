#include "registry/push.h"

#include <algorithm>

#include "json/json.h"
#include "model/manifest.h"
#include "registry/internal/artifact_kind.h"
#include "registry/internal/place.h"
#include "registry/internal/push_rows.h"

namespace roadstead::registry {
namespace {

/// Configs larger than this are not looked into.
constexpr std::int64_t kConfigMax = std::int64_t{1} << 20U;

Result<model::Digest> digest_for(const ManifestPush& push) {
  const auto* wanted = std::get_if<model::Digest>(&push.reference);
  if (wanted == nullptr) {
    return model::Digest::of(push.bytes);
  }
  model::Digest actual = model::Digest::of(push.bytes, wanted->algorithm());
  if (actual != *wanted) {
    return Error{Code::kDigestMismatch, Subject::kDigest,
                 "provided digest did not match uploaded content", wanted->to_string()};
  }
  return actual;
}

/// The tags to set, each once, the reference first.
std::vector<model::Tag> tags_of(const ManifestPush& push) {
  std::vector<model::Tag> tags;
  const auto add = [&](const model::Tag& tag) {
    if (std::find(tags.begin(), tags.end(), tag) == tags.end()) {
      tags.push_back(tag);
    }
  };
  if (const auto* tag = std::get_if<model::Tag>(&push.reference)) {
    add(*tag);
  }
  std::for_each(push.tags.begin(), push.tags.end(), add);
  return tags;
}

/// The config's content, or "" when there is none that we want to read. A config that cannot be
/// read costs only the attributes shown by the API, so no error of the store fails the push.
std::string read_config(storage::BlobStore& store, const internal::References& references) {
  if (!references.config || references.config_size > kConfigMax) {
    return references.config_bytes;
  }
  const auto reader = store.open(*references.config);
  if (!reader) {
    return {};
  }
  std::string content(static_cast<std::size_t>(references.config_size), '\0');
  const auto read = (*reader)->read_at(0, std::as_writable_bytes(std::span(content)));
  content.resize(read ? *read : 0);
  return content;
}

struct PushEvent {
  const Caller& caller;
  const ManifestPush& push;
  ProjectId project;
  ArtifactId artifact;
  const PushedManifest& pushed;
};

std::string event_payload(const PushEvent& event) {
  json::Writer writer;
  writer.begin_object();
  writer.member("project_id", event.project.value);
  writer.member("repository", event.push.repository.to_string());
  writer.member("artifact_id", event.artifact.value);
  writer.member("digest", event.pushed.digest);
  writer.key("tags");
  writer.begin_array();
  for (const std::string& tag : event.pushed.tags) {
    writer.value(tag);
  }
  writer.end_array();
  writer.member("operator", event.caller.principal.name);
  writer.end_object();
  return writer.take();
}

}  // namespace

Result<PushedManifest> put_manifest(db::Database& database, storage::BlobStore& store,
                                    const Options& options, const Caller& caller,
                                    const ManifestPush& push) {
  CHECK(push.tags.size() <= kPushTagsMax);
  internal::Place place = TRY(database.read_once([&](db::ReadSession& session) {
    return internal::find_place(session, caller, push.repository);
  }));
  const model::Manifest manifest = TRY(model::parse_manifest(push.bytes, push.content_type));
  const model::Digest digest = TRY(digest_for(push));
  const auto resolve = [&](db::ReadSession& session) {
    return internal::resolve_references(session, options, place.repository, manifest);
  };
  const internal::References references = TRY(
      internal::resolves_at_once(manifest) ? database.read_once(resolve) : database.read(resolve));
  if (!references.missing.empty()) {
    return internal::reference_missing(references.missing);
  }

  const std::string kind = internal::artifact_kind(manifest);
  internal::NewArtifact artifact{
      manifest,
      digest,
      push.bytes,
      kind,
      internal::extra_attributes(manifest, kind, read_config(store, references)),
      references};
  const std::vector<model::Tag> tags = tags_of(push);
  PushedManifest pushed;
  pushed.digest = digest.to_string();
  if (manifest.subject) {
    pushed.subject = manifest.subject->digest.to_string();
  }
  std::transform(tags.begin(), tags.end(), std::back_inserter(pushed.tags),
                 [](const model::Tag& tag) { return tag.to_string(); });

  const auto store_all = [&](db::WriteSession& session) -> Result<void> {
    internal::Holder holder{place.project, {}};
    holder.repository = TRY(internal::ensure_repository(session, place.project, push.repository,
                                                        internal::Use::kChange));
    const auto stored = TRY(internal::store_artifact(session, options, holder, artifact));
    const internal::TagChange change{holder.repository, caller.principal.name, {}, stored.listed};
    for (const model::Tag& tag : tags) {
      TRY(internal::put_tag(session, change, tag, stored.id, digest));
    }
    pushed.created = stored.created;
    const std::string payload = event_payload({caller, push, place.project, stored.id, pushed});
    return internal::emit_event(session, "PUSH_ARTIFACT", payload);
  };
  TRY(database.write(store_all));
  return pushed;
}

}  // namespace roadstead::registry
