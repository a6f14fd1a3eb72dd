#pragma once

#include <map>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>

#include "base/strong_id.h"
#include "importer/distribution.h"
#include "registry/import.h"

namespace roadstead::importer::internal {

/// What the parts of one import share.
struct Pass {
  const DistributionImport::Parts& parts;
  SourceTree& source;
  const ImportOptions& options;
  const std::stop_token& stop;
  Guarded<ImportReport>& report;
  /// By name; the projects of a registry fit into memory.
  std::map<std::string, ProjectId, std::less<>> projects{};

  /// Errors: kUnavailable + kNone when somebody wants it to stop.
  [[nodiscard]] Result<void> go_on() const;
  void add_problem(std::string_view object, const Error& error);
  /// A failure is a problem of `object`, unless it would be one of all that follow, too: a database
  /// that fails, a disk that is full. That ends the import.
  Result<void> forgive(std::string_view object, const Error& error);

  /// Nothing when there is none.
  Result<std::optional<ProjectId>> find_project(std::string_view name);
  Result<ProjectId> make_project(std::string_view name);
};

/// One repository of the source under its name there, as `target` here.
Result<void> import_repository(Pass& pass, std::string_view source_name,
                               const model::RepositoryName& target);

/// Reads a manifest of a repository with everything that its registration needs; with `copy`, its
/// blobs are in the store then. Errors: of the source, or what is wrong with it; those of the
/// database. kNotFound + kArtifact: the repository has it no longer.
Result<registry::ImportedManifest> read_manifest(Pass& pass, std::string_view repository,
                                                 const model::Digest& digest);

/// The digest in a link. Errors: kNotFound + kStorage, kInvalid + kDigest.
Result<model::Digest> read_link(SourceTree& source, const std::string& file);

}  // namespace roadstead::importer::internal
