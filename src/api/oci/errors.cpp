#include "api/oci/errors.h"

#include <string>

#include "base/text.h"
#include "json/json.h"

namespace roadstead::api::oci {
namespace {

constexpr std::string_view kJson = "application/json; charset=utf-8";
constexpr std::string_view kRetrySeconds = "5";

Answer not_found(Subject subject) {
  switch (subject) {
    case Subject::kBlob:
      return {404, "BLOB_UNKNOWN"};
    case Subject::kUpload:
      return {404, "BLOB_UPLOAD_UNKNOWN"};
    case Subject::kArtifact:
    case Subject::kManifest:
    case Subject::kTag:
      return {404, "MANIFEST_UNKNOWN"};
    case Subject::kProject:
      // Harbor does not tell an unknown project from a forbidden one.
      return {401, "UNAUTHORIZED"};
    case Subject::kNone:
    case Subject::kConfiguration:
    case Subject::kDatabase:
    case Subject::kDigest:
    case Subject::kMember:
    case Subject::kMetadata:
    case Subject::kName:
    case Subject::kQuota:
    case Subject::kRepository:
    case Subject::kRequest:
    case Subject::kSize:
    case Subject::kStorage:
    case Subject::kToken:
    case Subject::kUser:
      return {404, "NAME_UNKNOWN"};
  }
  return {404, "NAME_UNKNOWN"};
}

Answer invalid(Subject subject) {
  switch (subject) {
    case Subject::kBlob:
      return {400, "MANIFEST_BLOB_UNKNOWN"};  // What a manifest refers to.
    case Subject::kDigest:
      return {400, "DIGEST_INVALID"};
    case Subject::kName:
    case Subject::kRepository:
    case Subject::kProject:
      return {400, "NAME_INVALID"};
    case Subject::kArtifact:
    case Subject::kManifest:
    case Subject::kTag:
      return {400, "MANIFEST_INVALID"};
    case Subject::kSize:
      return {400, "SIZE_INVALID"};
    case Subject::kUpload:
      return {400, "BLOB_UPLOAD_INVALID"};
    case Subject::kNone:
    case Subject::kConfiguration:
    case Subject::kDatabase:
    case Subject::kMember:
    case Subject::kMetadata:
    case Subject::kQuota:
    case Subject::kRequest:
    case Subject::kStorage:
    case Subject::kToken:
    case Subject::kUser:
      return {400, "UNSUPPORTED"};
  }
  return {400, "UNSUPPORTED"};
}

Answer conflict(Subject subject) {
  if (subject == Subject::kUpload) {
    return {409, "BLOB_UPLOAD_INVALID"};
  }
  // Two transactions met; the loser may try again.
  return {503, "UNAVAILABLE"};
}

void write_one(json::Writer& writer, std::string_view code, std::string_view message,
               std::string_view detail) {
  writer.begin_object();
  writer.member("code", code);
  writer.member("message", message);
  if (!detail.empty()) {
    writer.member("detail", detail);
  }
  writer.end_object();
}

/// What the system said names files of ours and helps no client; the log has it.
std::string_view told(const Error& error) {
  if (error.code == Code::kUnavailable && error.subject == Subject::kStorage) {
    return "the storage is not available at the moment: it may be full or read-only";
  }
  if (error.code == Code::kUnavailable && error.subject == Subject::kDatabase) {
    return "the database is not available at the moment: its disk may be full or read-only";
  }
  return error.message;
}

http::Response with_body(int status, std::string body) {
  http::Response response(status);
  response.add_header("Docker-Distribution-Api-Version", "registry/2.0");
  body += '\n';  // As Harbor's, whose length HEAD tells.
  response.set_body(std::move(body), kJson);
  return response;
}

}  // namespace

Answer answer_for(const Error& error) {
  switch (error.code) {
    case Code::kInvalid:
      return invalid(error.subject);
    case Code::kUnauthenticated:
      return {401, "UNAUTHORIZED"};
    case Code::kDenied:
      // As in Harbor, what a caller may not do is 401: other credentials might.
      return error.subject == Subject::kQuota ? Answer{403, "DENIED"} : Answer{401, "UNAUTHORIZED"};
    case Code::kNotFound:
      return not_found(error.subject);
    case Code::kConflict:
      return conflict(error.subject);
    case Code::kPrecondition:
      return {412, "DENIED"};
    case Code::kTooLarge:
      return {413, error.subject == Subject::kManifest ? "MANIFEST_INVALID" : "SIZE_INVALID"};
    case Code::kRange:
      return {416, "BLOB_UPLOAD_INVALID"};
    case Code::kDigestMismatch:
      return {400, "DIGEST_INVALID"};
    case Code::kUnsupported:
      return error.subject == Subject::kDigest ? Answer{400, "DIGEST_INVALID"}
                                               : Answer{405, "UNSUPPORTED"};
    case Code::kRateLimited:
      return {429, "TOOMANYREQUESTS"};
    case Code::kUnavailable:
      return {503, "UNAVAILABLE"};
    case Code::kInternal:
      return {500, "UNKNOWN"};
  }
  return {500, "UNKNOWN"};
}

http::Response error_response(const Error& error, const log::Logger& logger) {
  const Answer answer = answer_for(error);
  if (answer.status == 500) {
    logger.error("request failed", {{"error", describe(error)}});
    return plain_error(500, answer.code, "internal server error");
  }
  if (answer.status == 503) {
    logger.warning("request refused", {{"error", describe(error)}});
  }
  json::Writer writer;
  writer.begin_object();
  writer.key("errors");
  writer.begin_array();
  if (answer.status == 401) {
    write_one(writer, answer.code, error.message + ": " + error.message, {});
  } else if (error.code == Code::kInvalid && error.subject == Subject::kBlob) {
    for (const std::string_view digest : split(error.detail, ',')) {
      write_one(writer, answer.code, error.message, digest);
    }
  } else {
    write_one(writer, answer.code, told(error), error.detail);
  }
  writer.end_array();
  writer.end_object();
  http::Response response = with_body(answer.status, writer.take());
  if (answer.status == 429) {
    response.add_header("Retry-After", error.detail.empty() ? kRetrySeconds : error.detail);
  } else if (answer.status == 503) {
    response.add_header("Retry-After", kRetrySeconds);
  }
  return response;
}

http::Response plain_error(int status, std::string_view code, std::string_view message) {
  json::Writer writer;
  writer.begin_object();
  writer.key("errors");
  writer.begin_array();
  write_one(writer, code, message, {});
  writer.end_array();
  writer.end_object();
  return with_body(status, writer.take());
}

}  // namespace roadstead::api::oci
