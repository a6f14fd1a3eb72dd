#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/strong_id.h"
#include "db/database.h"
#include "model/digest.h"
#include "model/reference.h"
#include "registry/caller.h"
#include "registry/internal/quota.h"
#include "registry/options.h"

namespace roadstead::registry::internal {

/// An upload as one request sees it: a row of `upload`, or what its id promises.
struct UploadRow {
  std::string id;
  ProjectId project;
  RepositoryId repository;
  std::int64_t generation = 0;
  std::uint64_t offset = 0;
  std::string token;  ///< Of the blob store, or new_upload_token().
  std::string boot_id;
  Time expires_at{};
  std::string content;  ///< The bytes, while the blob store has staged none of them.
  /// False: no byte of it was kept yet, so there is no row and `repository` is unknown.
  bool stored = true;
};

/// The token of an upload of which the blob store has staged nothing: it has no byte yet, or few
/// enough to lie in its row.
std::string new_upload_token(model::Algorithm algorithm);
/// The algorithm of such a token; nothing when it is the blob store's.
std::optional<model::Algorithm> algorithm_of_new(std::string_view token);

/// How many uploads are open, of those that limits count together.
struct OpenUploads {
  std::int64_t of_identity = 0;
  std::int64_t of_project = 0;
};
/// What a request about an upload meets.
struct SeenUpload {
  UploadRow row;
  Room room;
  OpenUploads open;  ///< While the upload has no row.
};
/// Permits and reads the upload in one statement, if it is one of this repository, has not expired
/// and its bytes are of this boot. Without a row it is what its id promises. Errors: as permit();
/// kNotFound + kUpload.
Result<SeenUpload> read_upload(db::ReadSession& session, const Options& options,
                               const Caller& caller, const model::RepositoryName& repository,
                               std::string_view id);

/// The upload as it is now; `seen` itself while it has no row. Errors: kNotFound + kUpload.
Result<UploadRow> reload_upload(db::ReadSession& session, const Options& options,
                                const UploadRow& seen);
/// Compare-and-set of the generation; the row afterwards. Errors: kNotFound + kUpload when it is
/// gone, kConflict + kUpload when another request was faster.
Result<UploadRow> claim_upload(db::WriteSession& session, const Options& options,
                               const UploadRow& seen);
/// Writes offset, token and expiry while the generation is still ours, else kConflict + kUpload.
Result<void> save_upload(db::WriteSession& session, const Options& options, const UploadRow& row);
/// Moves the expiry later while the generation is still ours; otherwise does nothing.
Result<void> touch_upload(db::WriteSession& session, const Options& options, const UploadRow& row);
/// Removes the row while the generation is still ours, else kConflict + kUpload.
Result<void> finish_upload(db::WriteSession& session, const UploadRow& row);

/// Removes the row of an upload, if there is one, whatever its generation.
Result<void> remove_upload(db::WriteSession& session, const std::string& id);

/// Whether somebody is writing into the upload now.
using Running = std::function<bool(const std::string& id)>;

/// Whose open uploads are limited.
struct UploadOwner {
  ProjectId project;
  std::string identity;
};
/// Whether so few are open that those which come at the same time need not be counted.
bool few_are_open(const Options& options, const OpenUploads& open);
/// Errors: kRateLimited + kUpload when insert_upload() would find no room.
Result<void> check_upload_limits(db::ReadSession& session, const Options& options,
                                 const UploadOwner& owner, const Running& running);

struct ExpiredUpload {
  std::string id;
  std::string token;
};
/// Makes room for one more where a limit on open uploads is reached: idle ones that nobody is
/// writing to go, and are returned. Errors: kRateLimited + kUpload.
Result<std::vector<ExpiredUpload>> make_room(db::WriteSession& session, const Options& options,
                                             const UploadOwner& owner, const Running& running);
/// Gives an upload that has bytes now its row, with generation 1. Errors: kConflict when another
/// process was faster.
Result<void> insert_upload(db::WriteSession& session, const Options& options,
                           const UploadRow& upload, const std::string& identity);

Result<std::vector<ExpiredUpload>> expired_uploads(db::ReadSession& session, std::size_t count);
/// False when the upload is no longer there or came back to life.
Result<bool> remove_expired(db::WriteSession& session, const std::string& id);

Error upload_unknown(std::string_view id);
Error upload_taken_over();

}  // namespace roadstead::registry::internal
