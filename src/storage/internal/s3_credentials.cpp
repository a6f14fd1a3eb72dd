#include "storage/internal/s3_credentials.h"

#include <mutex>

#include "base/text.h"
#include "json/json.h"
#include "storage/internal/s3_xml.h"
#include "sys/file.h"

namespace roadstead::storage::internal {
namespace {

constexpr std::size_t kFileMax = std::size_t{1} << 20U;
constexpr std::size_t kAnswerMax = std::size_t{64} << 10U;
/// New ones are asked for so long before the old ones expire.
constexpr std::chrono::minutes kEarly{5};
/// Those of a file are read again, as somebody may have changed them.
constexpr std::chrono::minutes kFileFresh{5};
/// After a refusal of whoever gives them out, while the old ones are still good.
constexpr std::chrono::seconds kTryAgain{15};
constexpr std::chrono::milliseconds kConnectTime{1'000};
constexpr std::chrono::milliseconds kTimeMax{5'000};
constexpr std::string_view kContainerHost = "http://169.254.170.2";
constexpr std::string_view kInstanceHost = "http://169.254.169.254";
constexpr std::string_view kInstanceRoles = "/latest/meta-data/iam/security-credentials/";

using Found = Result<std::optional<S3Credentials>>;

Error unavailable(std::string_view what) {
  return Error{Code::kUnavailable,
               Subject::kStorage,
               "no credentials for the object store: " + std::string(what),
               {}};
}

std::string first_line(std::string_view text) {
  return std::string(trim(text.substr(0, text.find_first_of("\r\n"))));
}

}  // namespace

std::optional<S3Credentials> parse_profile(std::string_view file, std::string_view profile) {
  S3Credentials credentials;
  bool ours = false;
  for (std::string_view line : split(file, '\n')) {
    line = trim(line);
    if (!line.empty() && line.back() == '\r') {
      line = trim(line.substr(0, line.size() - 1));
    }
    if (line.starts_with('[') && line.ends_with(']')) {
      ours = trim(line.substr(1, line.size() - 2)) == profile;
      continue;
    }
    const std::size_t equals = line.find('=');
    if (!ours || line.starts_with('#') || equals == std::string_view::npos) {
      continue;
    }
    const std::string_view name = trim(line.substr(0, equals));
    const std::string value(trim(line.substr(equals + 1)));
    if (name == "aws_access_key_id") {
      credentials.access_key = value;
    } else if (name == "aws_secret_access_key") {
      credentials.secret_key = value;
    } else if (name == "aws_session_token") {
      credentials.session_token = value;
    }
  }
  if (credentials.access_key.empty() || credentials.secret_key.empty()) {
    return std::nullopt;
  }
  return credentials;
}

Result<S3Credentials> parse_role_document(std::string_view json) {
  const auto document = json::Document::parse(json);
  if (!document) {
    return unavailable("the role's document is not JSON");
  }
  const json::Value root = document->root();
  const auto text = [&](std::string_view name) {
    return std::string(root[name].as_string().value_or(""));
  };
  S3Credentials credentials{text("AccessKeyId"), text("SecretAccessKey"), text("Token"),
                            parse_iso_time(text("Expiration"))};
  if (credentials.access_key.empty() || credentials.secret_key.empty()) {
    return unavailable("the role's document has no keys");
  }
  return credentials;
}

struct CredentialChain::State {
  State(HttpPool& http, Environment variables, std::string store_region, const Clock& time)
      : pool(http),
        environment(std::move(variables)),
        region(std::move(store_region)),
        clock(time) {}

  HttpPool& pool;
  const Environment environment;
  const std::string region;
  const Clock& clock;
  // Held while credentials are fetched: whoever needs them meanwhile would only ask the same.
  std::mutex mutex;
  std::optional<S3Credentials> known;
  Time refresh_at{};

  [[nodiscard]] std::string variable(std::string_view name) const {
    return environment ? environment(name).value_or("") : std::string();
  }
  Found from_environment();
  Found from_web_identity();
  Found from_file();
  Found from_container();
  Found from_instance();
  Result<S3Credentials> find();
  Result<std::string> ask(HttpRequest request);
};

Result<std::string> CredentialChain::State::ask(HttpRequest request) {
  request.connect_time = kConnectTime;
  request.time_max = kTimeMax;
  const auto answer = fetch(pool, std::move(request), kAnswerMax);
  if (!answer) {
    return unavailable(answer.error().message);
  }
  if (answer->status != 200) {
    return unavailable("status " + std::to_string(answer->status));
  }
  return answer->body;
}

Found CredentialChain::State::from_environment() {
  S3Credentials credentials{variable("AWS_ACCESS_KEY_ID"), variable("AWS_SECRET_ACCESS_KEY"),
                            variable("AWS_SESSION_TOKEN")};
  if (credentials.access_key.empty() || credentials.secret_key.empty()) {
    return std::optional<S3Credentials>();
  }
  return std::optional(credentials);
}

Found CredentialChain::State::from_web_identity() {
  const std::string file = variable("AWS_WEB_IDENTITY_TOKEN_FILE");
  const std::string role = variable("AWS_ROLE_ARN");
  if (file.empty() || role.empty()) {
    return std::optional<S3Credentials>();
  }
  const std::string token = TRY(sys::read_file(file, kFileMax));
  std::string session = variable("AWS_ROLE_SESSION_NAME");
  if (session.empty()) {
    session = "roadstead";
  }
  std::string endpoint = variable("AWS_ENDPOINT_URL_STS");
  if (endpoint.empty()) {
    endpoint = "https://sts." + region + ".amazonaws.com";
  }
  HttpRequest request;
  request.method = "POST";
  request.url = endpoint + "/";
  request.headers = {{"content-type", "application/x-www-form-urlencoded"}};
  const std::string form = canonical_query({{"Action", "AssumeRoleWithWebIdentity"},
                                            {"Version", "2011-06-15"},
                                            {"RoleArn", role},
                                            {"RoleSessionName", session},
                                            {"WebIdentityToken", first_line(token)}});
  request.body_size = form.size();
  request.body = [form](std::uint64_t offset, std::span<std::byte> into) -> Result<std::size_t> {
    return form.copy(reinterpret_cast<char*>(into.data()), into.size(),
                     std::min<std::size_t>(offset, form.size()));
  };
  const std::string xml = TRY(ask(std::move(request)));
  const auto answer = TRY(parse_assumed_role(xml));
  return std::optional(
      S3Credentials{answer.access_key, answer.secret_key, answer.session_token, answer.expires_at});
}

Found CredentialChain::State::from_file() {
  std::string path = variable("AWS_SHARED_CREDENTIALS_FILE");
  if (path.empty()) {
    path = variable("HOME") + "/.aws/credentials";
  }
  std::string profile = variable("AWS_PROFILE");
  if (profile.empty()) {
    profile = "default";
  }
  const auto text = sys::read_file(path, kFileMax);
  if (!text) {
    return std::optional<S3Credentials>();  // No such file, or none that we may read.
  }
  auto credentials = parse_profile(*text, profile);
  if (credentials) {
    credentials->expires_at = clock.now() + kFileFresh + kEarly;
  }
  return credentials;
}

Found CredentialChain::State::from_container() {
  HttpRequest request;
  request.direct = true;
  const std::string relative = variable("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI");
  request.url = relative.empty() ? variable("AWS_CONTAINER_CREDENTIALS_FULL_URI")
                                 : std::string(kContainerHost) + relative;
  if (request.url.empty()) {
    return std::optional<S3Credentials>();
  }
  std::string proof = variable("AWS_CONTAINER_AUTHORIZATION_TOKEN");
  const std::string file = variable("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE");
  if (!file.empty()) {
    proof = first_line(TRY(sys::read_file(file, kFileMax)));
  }
  if (proof.find_first_of("\r\n") != std::string::npos) {
    return unavailable("the container's authorization token is not one line");
  }
  if (!proof.empty()) {
    request.headers.emplace_back("authorization", proof);
  }
  const std::string document = TRY(ask(std::move(request)));
  return std::optional(TRY(parse_role_document(document)));
}

Found CredentialChain::State::from_instance() {
  if (equals_ignoring_case(variable("AWS_EC2_METADATA_DISABLED"), "true")) {
    return std::optional<S3Credentials>();
  }
  std::string host = variable("AWS_EC2_METADATA_SERVICE_ENDPOINT");
  if (host.empty()) {
    host = kInstanceHost;
  }
  HttpRequest request;
  request.direct = true;
  request.method = "PUT";
  request.url = host + "/latest/api/token";
  request.headers = {{"x-aws-ec2-metadata-token-ttl-seconds", "21600"}};
  const auto token = ask(request);
  if (!token) {
    return std::optional<S3Credentials>();  // Not on such a machine.
  }
  request.method = "GET";
  request.headers = {{"x-aws-ec2-metadata-token", first_line(*token)}};
  request.url = host + std::string(kInstanceRoles);
  const std::string role = first_line(TRY(ask(request)));
  request.url += encode_path(role);
  const std::string document = TRY(ask(request));
  return std::optional(TRY(parse_role_document(document)));
}

Result<S3Credentials> CredentialChain::State::find() {
  using Source = Found (State::*)();
  for (const Source source : {&State::from_environment, &State::from_web_identity,
                              &State::from_file, &State::from_container, &State::from_instance}) {
    auto found = TRY((this->*source)());
    if (found) {
      return std::move(*found);
    }
  }
  return Error{Code::kInvalid,
               Subject::kConfiguration,
               "no credentials for the object store: set AWS_ACCESS_KEY_ID and "
               "AWS_SECRET_ACCESS_KEY, or see docs/storage.md for where else they may be",
               {}};
}

CredentialChain::CredentialChain(HttpPool& pool, Environment environment, std::string region,
                                 const Clock& clock)
    : state_(std::make_unique<State>(pool, std::move(environment), std::move(region), clock)) {}

CredentialChain::~CredentialChain() = default;

Result<S3Credentials> CredentialChain::get() {
  const std::lock_guard lock(state_->mutex);
  const Time now = state_->clock.now();
  if (state_->known && now < state_->refresh_at) {
    return *state_->known;
  }
  auto found = state_->find();
  if (!found) {
    if (state_->known && state_->known->expires_at && now < *state_->known->expires_at) {
      state_->refresh_at = now + kTryAgain;
      return *state_->known;
    }
    return found;
  }
  state_->known = *found;
  // At once again would only hammer whoever gives out what lasts for minutes.
  state_->refresh_at =
      found->expires_at ? std::max(*found->expires_at - kEarly, now + kTryAgain) : Time::max();
  return found;
}

void CredentialChain::forget(const S3Credentials& refused) {
  const std::lock_guard lock(state_->mutex);
  if (state_->known && state_->known->access_key == refused.access_key &&
      state_->known->secret_key == refused.secret_key) {
    state_->known.reset();
  }
}

}  // namespace roadstead::storage::internal
