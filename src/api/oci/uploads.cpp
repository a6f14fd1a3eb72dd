#include <fmt/format.h>

#include "api/oci/errors.h"
#include "api/oci/internal/endpoint.h"
#include "base/text.h"
#include "http/uri.h"
#include "registry/upload.h"

namespace roadstead::api::oci::internal {
namespace {

using Opened = std::variant<http::Response, std::unique_ptr<http::BodySink>>;

/// "0-<last>"; the first byte stands for none, as clients know it.
std::string range_of(std::uint64_t offset) {
  return fmt::format("0-{}", offset == 0 ? 0 : offset - 1);
}

http::Response upload_response(int status, const model::RepositoryName& repository,
                               const registry::UploadStatus& upload) {
  http::Response response = answer(status);
  response.add_header("Location", location(repository, "/blobs/uploads/", upload.id));
  response.add_header("Range", range_of(upload.offset));
  response.add_header("Docker-Upload-UUID", upload.id);
  return response;
}

http::Response blob_created(const model::RepositoryName& repository, const model::Digest& digest) {
  http::Response response = answer(201);
  response.add_header("Location", location(repository, "/blobs/", digest.to_string()));
  response.add_header(kDigestHeader, digest.to_string());
  return response;
}

Result<http::Query> query_of(const http::Request& request) {
  auto query = http::Query::parse(request.query);
  if (!query) {
    return Error{Code::kInvalid, Subject::kRequest, "the query is malformed", {}};
  }
  return std::move(*query);
}

/// "<first>-<last>", both included, and as long as the body.
Result<registry::Chunk> chunk_of(const http::Request& request) {
  registry::Chunk chunk;
  chunk.length = request.content_length;
  const auto range = request.header("Content-Range");
  if (!range) {
    return chunk;
  }
  const std::size_t dash = range->find('-');
  const auto first = parse_uint64(range->substr(0, dash));
  // Without a dash there is no last byte either: no number parses from nothing.
  const auto last =
      parse_uint64(dash == std::string_view::npos ? std::string_view() : range->substr(dash + 1));
  if (!first || !last || *last < *first) {
    return Error{Code::kInvalid, Subject::kUpload, "Content-Range must be <first>-<last>",
                 std::string(*range)};
  }
  if (chunk.length && *chunk.length != *last - *first + 1) {
    return Error{Code::kInvalid, Subject::kSize, "Content-Range and Content-Length do not agree",
                 std::string(*range)};
  }
  chunk.first = first;
  return chunk;
}

/// Feeds a body into an upload; what its end means is the endpoint's.
class Sink final : public http::BodySink {
 public:
  using Finish = Result<http::Response> (*)(registry::UploadSession& session,
                                            const model::RepositoryName& repository,
                                            const std::optional<model::Digest>& digest);
  Sink(std::unique_ptr<registry::UploadSession> session, model::RepositoryName repository,
       std::optional<model::Digest> digest, Finish at_end, log::Logger logger)
      : session_(std::move(session)),
        repository_(std::move(repository)),
        digest_(std::move(digest)),
        at_end_(at_end),
        logger_(logger) {}

  std::optional<http::Response> write(std::span<const std::byte> bytes) override {
    const auto written = session_->write(bytes);
    if (!written) {
      return error_response(written.error(), logger_);
    }
    return std::nullopt;
  }

  http::Response finish() override {
    auto response = at_end_(*session_, repository_, digest_);
    session_.reset();  // Lets go of the upload before the client hears of it.
    return response ? std::move(*response) : error_response(response.error(), logger_);
  }

 private:
  std::unique_ptr<registry::UploadSession> session_;
  model::RepositoryName repository_;
  std::optional<model::Digest> digest_;
  Finish at_end_;
  log::Logger logger_;
};

Result<http::Response> finish_chunk(registry::UploadSession& session,
                                    const model::RepositoryName& repository,
                                    const std::optional<model::Digest>& /*digest*/) {
  const registry::UploadStatus status = TRY(session.checkpoint());
  return upload_response(202, repository, status);
}

Result<http::Response> finish_blob(registry::UploadSession& session,
                                   const model::RepositoryName& repository,
                                   const std::optional<model::Digest>& digest) {
  TRY(session.commit(*digest));
  return blob_created(repository, *digest);
}

/// What PATCH, PUT and POST share: the body goes into a sink.
class UploadEndpoint : public OciEndpoint {
 public:
  using OciEndpoint::OciEndpoint;
  [[nodiscard]] http::BodyMode body_mode() const override { return http::BodyMode::kStreamed; }

  std::variant<http::Response, std::unique_ptr<http::BodySink>> open(const http::Request& request,
                                                                     http::Context& context) final {
    const auto principal = who(request, context);
    if (!principal) {
      return refuse(principal.error(), request, context, source_of(request));
    }
    auto opened = open_for(*principal, request, context);
    if (!opened) {
      return explain(opened.error(), request, context);
    }
    return std::move(*opened);
  }

 protected:
  [[nodiscard]] virtual Result<Opened> open_for(const auth::Principal& principal,
                                                const http::Request& request,
                                                const http::Context& context) const = 0;

 private:
  /// The repository that a mount would read from, for the challenge.
  static std::string source_of(const http::Request& request) {
    const auto query = http::Query::parse(request.query);
    if (!query || !query->has("mount")) {
      return {};
    }
    return std::string(query->get("from").value_or(""));
  }

  /// A 416 says where the upload stands, so that the client can go on from there.
  [[nodiscard]] http::Response explain(const Error& error, const http::Request& request,
                                       const http::Context& context) const {
    http::Response response = refuse(error, request, context, source_of(request));
    const auto offset = parse_uint64(error.detail);
    if (error.code == Code::kRange && offset) {
      const std::string id(context.parameters[1]);
      response.add_header("Location", request.path);
      response.add_header("Range", range_of(*offset));
      response.add_header("Docker-Upload-UUID", id);
    }
    return response;
  }
};

/// POST: begins an upload, mounts, or takes the whole blob in one request.
class UploadStart final : public UploadEndpoint {
 public:
  using UploadEndpoint::UploadEndpoint;

  /// The usual case, an upload that is only announced, is one read.
  std::optional<http::Response> try_now(const http::Request& request,
                                        http::Context& context) override {
    if (!request.query.empty() || !services_.database.reads_are_local()) {
      return std::nullopt;
    }
    const auto principal = who_now(request, context);
    if (!principal) {
      return std::nullopt;
    }
    if (!principal->has_value()) {
      return refuse(principal->error(), request, context);
    }
    auto response = announce(**principal, context, model::Algorithm::kSha256);
    return response ? std::move(*response) : refuse(response.error(), request, context);
  }

 protected:
  [[nodiscard]] Result<Opened> open_for(const auth::Principal& principal,
                                        const http::Request& request,
                                        const http::Context& context) const override {
    const auto repository = TRY(repository_of(context));
    const http::Query query = TRY(query_of(request));
    if (const auto mount = query.get("mount")) {
      auto mounted = TRY(try_mount(principal, repository, *mount, query));
      if (mounted) {
        return Opened(std::move(*mounted));
      }
    } else if (const auto text = query.get("digest")) {
      const model::Digest digest = TRY(model::Digest::parse(*text));
      // Without a body the digest only announces what will come, unless it is that of nothing.
      if (request.has_body || digest == model::Digest::of("", digest.algorithm())) {
        return open_single(principal, repository, digest, request, context);
      }
    }
    model::Algorithm algorithm = model::Algorithm::kSha256;
    if (const auto name = query.get("digest-algorithm")) {
      algorithm = TRY(model::parse_algorithm(*name));
    }
    return Opened(TRY(announce(principal, context, algorithm)));
  }

 private:
  [[nodiscard]] Result<http::Response> announce(const auth::Principal& principal,
                                                const http::Context& context,
                                                model::Algorithm algorithm) const {
    const auto repository = TRY(repository_of(context));
    const auto upload = TRY(services_.uploads.start(caller(principal), repository, algorithm));
    return upload_response(202, repository, upload);
  }

  /// Nothing when the blob cannot be mounted: the client then uploads it.
  [[nodiscard]] Result<std::optional<http::Response>> try_mount(
      const auth::Principal& principal, const model::RepositoryName& repository,
      std::string_view text, const http::Query& query) const {
    const auto digest = model::Digest::parse(text);
    if (!digest) {
      return std::optional<http::Response>();
    }
    std::optional<model::RepositoryName> from;
    if (const auto name = query.get("from"); name && !name->empty()) {
      const auto parsed = parse_repository(*name);
      if (!parsed) {
        return std::optional<http::Response>();
      }
      from = *parsed;
    }
    const bool mounted = TRY(services_.uploads.mount(caller(principal), repository, *digest, from));
    if (!mounted) {
      return std::optional<http::Response>();
    }
    return std::optional(blob_created(repository, *digest));
  }

  [[nodiscard]] Result<Opened> open_single(const auth::Principal& principal,
                                           const model::RepositoryName& repository,
                                           const model::Digest& digest,
                                           const http::Request& request,
                                           const http::Context& context) const {
    auto session = TRY(services_.uploads.open_single(caller(principal), repository,
                                                     digest.algorithm(), request.content_length));
    return Opened(std::make_unique<Sink>(std::move(session), repository, digest, finish_blob,
                                         context.logger));
  }
};

class UploadChunk final : public UploadEndpoint {
 public:
  using UploadEndpoint::UploadEndpoint;

 protected:
  [[nodiscard]] Result<Opened> open_for(const auth::Principal& principal,
                                        const http::Request& request,
                                        const http::Context& context) const override {
    const auto repository = TRY(repository_of(context));
    const registry::Chunk chunk = TRY(chunk_of(request));
    auto session =
        TRY(services_.uploads.open(caller(principal), repository, context.parameters[1], chunk));
    return Opened(std::make_unique<Sink>(std::move(session), repository, std::nullopt, finish_chunk,
                                         context.logger));
  }
};

class UploadFinish final : public UploadEndpoint {
 public:
  using UploadEndpoint::UploadEndpoint;

 protected:
  [[nodiscard]] Result<Opened> open_for(const auth::Principal& principal,
                                        const http::Request& request,
                                        const http::Context& context) const override {
    const auto repository = TRY(repository_of(context));
    const http::Query query = TRY(query_of(request));
    const auto text = query.get("digest");
    if (!text) {
      return Error{Code::kInvalid, Subject::kDigest, "the digest of the blob is missing", {}};
    }
    const model::Digest digest = TRY(model::Digest::parse(*text));
    registry::Chunk chunk = TRY(chunk_of(request));
    chunk.last = true;
    auto session =
        TRY(services_.uploads.open(caller(principal), repository, context.parameters[1], chunk));
    return Opened(std::make_unique<Sink>(std::move(session), repository, digest, finish_blob,
                                         context.logger));
  }
};

class UploadStatus final : public OciEndpoint {
 public:
  using OciEndpoint::OciEndpoint;

  http::Response handle(const http::Request& request, http::Context& context) override {
    auto response = status(who(request, context), context);
    return response ? std::move(*response) : refuse(response.error(), request, context);
  }

 private:
  [[nodiscard]] Result<http::Response> status(Result<auth::Principal> who,
                                              const http::Context& context) const {
    const auth::Principal principal = TRY(std::move(who));
    const auto repository = TRY(repository_of(context));
    const auto upload =
        TRY(services_.uploads.status(caller(principal), repository, context.parameters[1]));
    return upload_response(204, repository, upload);
  }
};

class UploadCancel final : public OciEndpoint {
 public:
  using OciEndpoint::OciEndpoint;

  http::Response handle(const http::Request& request, http::Context& context) override {
    auto response = cancel(who(request, context), context);
    return response ? std::move(*response) : refuse(response.error(), request, context);
  }

 private:
  [[nodiscard]] Result<http::Response> cancel(Result<auth::Principal> who,
                                              const http::Context& context) const {
    const auth::Principal principal = TRY(std::move(who));
    const auto repository = TRY(repository_of(context));
    TRY(services_.uploads.cancel(caller(principal), repository, context.parameters[1]));
    http::Response response = answer(204);
    response.add_header("Docker-Upload-UUID", context.parameters[1]);
    return response;
  }
};

}  // namespace

std::unique_ptr<http::Endpoint> make_upload_start(const Services& services,
                                                  const Operation& operation) {
  return std::make_unique<UploadStart>(services, operation);
}
std::unique_ptr<http::Endpoint> make_upload_status(const Services& services,
                                                   const Operation& operation) {
  return std::make_unique<UploadStatus>(services, operation);
}
std::unique_ptr<http::Endpoint> make_upload_chunk(const Services& services,
                                                  const Operation& operation) {
  return std::make_unique<UploadChunk>(services, operation);
}
std::unique_ptr<http::Endpoint> make_upload_finish(const Services& services,
                                                   const Operation& operation) {
  return std::make_unique<UploadFinish>(services, operation);
}
std::unique_ptr<http::Endpoint> make_upload_cancel(const Services& services,
                                                   const Operation& operation) {
  return std::make_unique<UploadCancel>(services, operation);
}

}  // namespace roadstead::api::oci::internal
