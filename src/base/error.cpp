#include "base/error.h"

#include <cerrno>
#include <system_error>

#include <fmt/format.h>

namespace roadstead {

std::string_view to_string(Code code) {
  switch (code) {
    case Code::kInvalid:
      return "invalid";
    case Code::kUnauthenticated:
      return "unauthenticated";
    case Code::kDenied:
      return "denied";
    case Code::kNotFound:
      return "not found";
    case Code::kConflict:
      return "conflict";
    case Code::kPrecondition:
      return "precondition failed";
    case Code::kTooLarge:
      return "too large";
    case Code::kRange:
      return "range not satisfiable";
    case Code::kDigestMismatch:
      return "digest mismatch";
    case Code::kUnsupported:
      return "unsupported";
    case Code::kRateLimited:
      return "rate limited";
    case Code::kUnavailable:
      return "unavailable";
    case Code::kInternal:
      return "internal error";
  }
  return "unknown";
}

std::string_view to_string(Subject subject) {
  switch (subject) {
    case Subject::kNone:
      return "none";
    case Subject::kArtifact:
      return "artifact";
    case Subject::kBlob:
      return "blob";
    case Subject::kConfiguration:
      return "configuration";
    case Subject::kDatabase:
      return "database";
    case Subject::kDigest:
      return "digest";
    case Subject::kManifest:
      return "manifest";
    case Subject::kMember:
      return "member";
    case Subject::kMetadata:
      return "metadata";
    case Subject::kName:
      return "name";
    case Subject::kProject:
      return "project";
    case Subject::kQuota:
      return "quota";
    case Subject::kRepository:
      return "repository";
    case Subject::kRequest:
      return "request";
    case Subject::kSize:
      return "size";
    case Subject::kStorage:
      return "storage";
    case Subject::kTag:
      return "tag";
    case Subject::kToken:
      return "token";
    case Subject::kUpload:
      return "upload";
    case Subject::kUser:
      return "user";
  }
  return "unknown";
}

std::string describe(const Error& error) {
  std::string text =
      fmt::format("{} ({}): {}", to_string(error.code), to_string(error.subject), error.message);
  if (!error.detail.empty()) {
    text += fmt::format(" [{}]", error.detail);
  }
  return text;
}

Error system_error(int error_number, std::string_view what) {
  const bool exhausted = error_number == ENOSPC || error_number == EDQUOT ||
                         error_number == EMFILE || error_number == ENFILE || error_number == EROFS;
  return Error{exhausted ? Code::kUnavailable : Code::kInternal,
               Subject::kStorage,
               fmt::format("{}: {}", what, std::generic_category().message(error_number)),
               {}};
}

}  // namespace roadstead
