#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/result.h"
#include "storage/internal/s3_signer.h"
#include "storage/internal/s3_transport.h"
#include "storage/s3.h"

namespace roadstead::storage::internal {

/// The keys of one profile in a shared credentials file; nothing when it has none. Unknown lines
/// are somebody else's and skipped.
std::optional<S3Credentials> parse_profile(std::string_view file, std::string_view profile);
/// The JSON of instance and container roles. Errors: kUnavailable + kStorage.
Result<S3Credentials> parse_role_document(std::string_view json);

/// Finds credentials where AWS's own tools look, first found first:
///   1. AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN
///   2. AWS_WEB_IDENTITY_TOKEN_FILE and AWS_ROLE_ARN, by AssumeRoleWithWebIdentity
///   3. the profile AWS_PROFILE of AWS_SHARED_CREDENTIALS_FILE (~/.aws/credentials)
///   4. AWS_CONTAINER_CREDENTIALS_RELATIVE_URI or …_FULL_URI: the role of a container
///   5. the role of the instance, unless AWS_EC2_METADATA_DISABLED is true
/// Keeps them until shortly before they expire. Thread-safe.
class CredentialChain {
 public:
  CredentialChain(HttpPool& pool, Environment environment, std::string region, const Clock& clock);
  ~CredentialChain();
  CredentialChain(const CredentialChain&) = delete;
  CredentialChain& operator=(const CredentialChain&) = delete;

  /// Errors: kInvalid + kConfiguration when there are none; kUnavailable + kStorage when those who
  /// give them out do not answer and what is known has expired.
  Result<S3Credentials> get();
  /// The store does not accept them any more: the next get() looks again.
  void forget(const S3Credentials& refused);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace roadstead::storage::internal
