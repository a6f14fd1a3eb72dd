#pragma once

#include <string>
#include <string_view>

namespace roadstead {

/// What the caller can do about a failure. One function per API turns it into a status code (api/).
enum class Code {
  kInvalid,          ///< The request is malformed; sending it again is useless.
  kUnauthenticated,  ///< Who is asking is not known.
  kDenied,           ///< Who is asking is known and may not.
  kNotFound,
  kConflict,      ///< It exists already, or somebody else changed it meanwhile.
  kPrecondition,  ///< The state of the subject forbids it; change the state first.
  kTooLarge,
  kRange,           ///< A byte range that cannot be satisfied, or a chunk out of order.
  kDigestMismatch,  ///< Content does not hash to the digest it was announced under.
  kUnsupported,     ///< Well-formed, but this server does not do it.
  kRateLimited,
  kUnavailable,  ///< Try again later: overload, shutdown, disk full, database away.
  kInternal,     ///< A defect or a broken machine. Details are logged, never answered.
};

/// What the failure is about; chooses the API's error identifier together with the Code.
enum class Subject {
  kNone,
  kArtifact,
  kBlob,
  kConfiguration,
  kDatabase,
  kDigest,
  kManifest,
  kMember,
  kMetadata,
  kName,
  kProject,
  kQuota,
  kRepository,
  kRequest,
  kSize,
  kStorage,
  kTag,
  kToken,
  kUpload,
  kUser,
};

/// A failure as a value. `message` is for people and may be sent to the client unless the code is
/// kInternal; it never holds a secret. `detail` is the piece that a program may want (a digest, a
/// field name), or empty.
struct Error {
  Code code = Code::kInternal;
  Subject subject = Subject::kNone;
  std::string message;
  std::string detail;
};

/// Names for logs: "not found", "blob".
std::string_view to_string(Code code);
std::string_view to_string(Subject subject);

/// "not found (blob): blob unknown to registry [sha256:…]", for logs.
std::string describe(const Error& error);

/// kInternal with the text of `error_number` (an errno value), or kUnavailable + kStorage when it
/// says that space, quota or file descriptors ran out. `what` names the operation and its object,
/// e.g. "open /data/x".
Error system_error(int error_number, std::string_view what);

}  // namespace roadstead
