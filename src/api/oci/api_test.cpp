// Requests in, responses out, no socket.
#include "api/oci/api.h"

#include <errno.h>

#include <map>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "api/oci/errors.h"
#include "base/text.h"
#include "http/uri.h"
#include "json/json.h"
#include "registry/testing/registry_bench.h"

namespace roadstead::api::oci {
namespace {

using registry::testing::config_part;
using registry::testing::image_json;
using registry::testing::layer_part;
using registry::testing::manifest_part;
using registry::testing::RegistryBench;
using registry::testing::subject_json;

/// "admin", "dev", … are credentials; "slow <name>" ones that need the pool; anything else is
/// wrong.
class FakeAuthenticator final : public auth::Authenticator {
 public:
  std::optional<Result<auth::Principal>> try_authenticate(std::string_view authorization,
                                                          std::string_view address) override {
    if (authorization.starts_with("slow ")) {
      return std::nullopt;
    }
    return authenticate(authorization, address);
  }
  Result<auth::Principal> authenticate(std::string_view authorization,
                                       std::string_view /*address*/) override {
    if (authorization.empty()) {
      return auth::Principal{};
    }
    if (authorization == "busy") {
      return Error{Code::kRateLimited, Subject::kUser, "too many attempts", "7"};
    }
    if (authorization.starts_with("slow ")) {
      authorization.remove_prefix(5);
    }
    const auto found = people.find(std::string(authorization));
    if (found == people.end()) {
      return Error{Code::kUnauthenticated, Subject::kUser, "unauthorized", {}};
    }
    return found->second;
  }
  std::map<std::string, auth::Principal> people;
};

struct Reply {
  int status = 0;
  std::string body;
  http::Response response;
  bool inline_answer = false;  ///< Given by try_now().

  [[nodiscard]] std::string header(std::string_view name) const {
    return std::string(response.header(name).value_or("(absent)"));
  }
  [[nodiscard]] std::string code() const {
    const auto document = json::Document::parse(body);
    return document ? std::string(document->root()["errors"].at(0)["code"].as_string().value_or(""))
                    : "(no JSON)";
  }
};

struct Ask {
  http::Method method = http::Method::kGet;
  std::string target;
  std::string body = {};
  std::vector<std::pair<std::string, std::string>> headers = {};
  std::string as = "admin";
  bool length_known = true;
};

class ApiTest : public ::testing::Test {
 protected:
  ApiTest()
      : project(bench.add_project("p")),
        open_project(bench.add_project("open", true)),
        sink(2, log::Format::kText, log::Level::kError, bench.clock),
        api(Services{bench.database.get(), *bench.store, *bench.uploads, authenticator,
                     bench.options, "https://registry.example.com"}) {
    authenticator.people["admin"] = bench.person(bench.admin);
    add("dev", auth::Role::kDeveloper);
    add("guest", auth::Role::kGuest);
    authenticator.people["none"] = bench.person(bench.add_user("none"));
  }
  void add(const std::string& name, auth::Role role) {
    const UserId user = bench.add_user(name);
    bench.add_member(project, user, role);
    authenticator.people[name] = bench.person(user);
  }

  Reply ask(const Ask& ask) {
    std::vector<http::HeaderField> fields;
    for (const auto& [name, value] : ask.headers) {
      fields.push_back({name, value});
    }
    if (!ask.as.empty()) {
      fields.push_back({"Authorization", ask.as});
    }
    const std::string_view target = ask.target;
    http::Request request;
    request.method = ask.method;
    request.method_name = http::to_string(ask.method);
    request.target = target;
    request.path = target.substr(0, target.find('?'));
    request.query = request.path.size() < target.size() ? target.substr(request.path.size() + 1)
                                                        : std::string_view();
    request.headers = fields;
    request.has_body = !ask.body.empty();
    if (ask.length_known && request.has_body) {
      request.content_length = ask.body.size();
    }
    request.scheme = "http";
    request.host = "127.0.0.1:8080";
    http::Context context{"r1", {}, log::Logger(sink), {}, {}};
    http::Endpoint& endpoint = api.route(request, context.parameters);
    last_endpoint = endpoint.name();
    Reply reply;
    reply.response = run(endpoint, request, ask.body, context, reply.inline_answer);
    last_identity = context.identity;
    reply.status = reply.response.status();
    reply.body = body_of(reply.response);
    return reply;
  }
  Reply get(const std::string& target, const std::string& as = "admin") {
    return ask({http::Method::kGet, target, {}, {}, as});
  }
  Reply head(const std::string& target, const std::string& as = "admin") {
    return ask({http::Method::kHead, target, {}, {}, as});
  }
  Reply put_manifest(const std::string& target, const std::string& bytes) {
    return ask({http::Method::kPut,
                target,
                bytes,
                {{"Content-Type", "application/vnd.oci.image.manifest.v1+json; charset=utf-8"}}});
  }
  std::string simple_manifest() {
    bench.put_blob("p/app", "{}");
    bench.put_blob("p/app", "layer");
    return image_json(config_part("{}"), {layer_part("layer")});
  }

  RegistryBench bench;
  ProjectId project;
  ProjectId open_project;
  FakeAuthenticator authenticator;
  log::Sink sink;
  Api api;
  std::string last_endpoint;
  std::string last_identity;

 private:
  static http::Response run(http::Endpoint& endpoint, http::Request& request,
                            const std::string& body, http::Context& context, bool& inline_answer) {
    if (endpoint.body_mode() == http::BodyMode::kStreamed) {
      auto opened = endpoint.open(request, context);
      if (auto* response = std::get_if<http::Response>(&opened)) {
        return std::move(*response);
      }
      auto& body_sink = std::get<std::unique_ptr<http::BodySink>>(opened);
      for (std::size_t at = 0; at < body.size(); at += 4) {
        if (auto early = body_sink->write(bytes_of(std::string_view(body).substr(at, 4)))) {
          return std::move(*early);
        }
      }
      return body_sink->finish();
    }
    request.body = body;
    if (auto now = endpoint.try_now(request, context)) {
      inline_answer = true;
      return std::move(*now);
    }
    return endpoint.handle(request, context);
  }

  static std::string body_of(http::Response& response) {
    if (auto* text = std::get_if<std::string>(&response.body())) {
      return *text;
    }
    if (auto* source = std::get_if<std::unique_ptr<http::BodySource>>(&response.body())) {
      std::string content((*source)->length(), '\0');
      static_cast<void>((*source)->read(0, std::as_writable_bytes(std::span(content))));
      return content;
    }
    return {};
  }
};

TEST_F(ApiTest, Base) {
  EXPECT_EQ(get("/v2/").status, 200);
  EXPECT_EQ(get("/v2/").body, "{}");
  EXPECT_EQ(get("/v2/").header("Docker-Distribution-Api-Version"), "registry/2.0");
  const Reply anonymous = get("/v2/", "");
  EXPECT_EQ(anonymous.status, 401);
  EXPECT_EQ(anonymous.header("WWW-Authenticate"),
            "Bearer realm=\"https://registry.example.com/service/token\","
            "service=\"harbor-registry\"");
  EXPECT_EQ(anonymous.body, R"({"errors":[{"code":"UNAUTHORIZED",)"
                            R"("message":"unauthorized: unauthorized"}]})"
                            "\n");
  const Reply wrong = get("/v2/", "wrong");
  EXPECT_EQ(wrong.status, 401);
  EXPECT_EQ(wrong.header("WWW-Authenticate"), "Basic realm=\"harbor\"");
  bench.execute("UPDATE user_account SET credential_version = 2 WHERE username = 'guest'");
  EXPECT_EQ(get("/v2/", "guest").status, 401);
  const Reply busy = get("/v2/", "busy");
  EXPECT_EQ(busy.status, 429);
  EXPECT_EQ(busy.header("Retry-After"), "7");
}

TEST_F(ApiTest, Challenges) {
  const std::string bearer =
      "Bearer realm=\"https://registry.example.com/service/token\",service=\"harbor-registry\"";
  const Reply pull = get("/v2/p/app/manifests/v1", "");
  EXPECT_EQ(pull.status, 401);
  EXPECT_EQ(pull.header("WWW-Authenticate"), bearer + ",scope=\"repository:p/app:pull\"");
  // Also what is public wants a token, and nobody learns what exists.
  EXPECT_EQ(get("/v2/open/app/tags/list", "").status, 401);
  EXPECT_EQ(get("/v2/nowhere/app/tags/list", "").status, 401);
  const Reply push = ask({http::Method::kPost, "/v2/p/app/blobs/uploads/", {}, {}, ""});
  EXPECT_EQ(push.header("WWW-Authenticate"), bearer + ",scope=\"repository:p/app:pull,push\"");
  const Reply mount = ask(
      {http::Method::kPost, "/v2/p/app/blobs/uploads/?mount=sha256:00&from=open/app", {}, {}, ""});
  EXPECT_EQ(mount.header("WWW-Authenticate"),
            bearer + ",scope=\"repository:p/app:pull,push repository:open/app:pull\"");
  const Reply remove = ask({http::Method::kDelete, "/v2/p/app/manifests/v1", {}, {}, ""});
  EXPECT_EQ(remove.header("WWW-Authenticate"), bearer + ",scope=\"repository:p/app:delete\"");
  const Reply guest = ask({http::Method::kPost, "/v2/p/app/blobs/uploads/", {}, {}, "guest"});
  EXPECT_EQ(guest.status, 401);
  EXPECT_EQ(guest.header("WWW-Authenticate"), "Basic realm=\"harbor\"");
  EXPECT_NE(guest.body.find("unauthorized to access repository: p/app, action: push: "
                            "unauthorized to access repository: p/app, action: push"),
            std::string::npos)
      << guest.body;
  EXPECT_EQ(get("/v2/nowhere/app/tags/list", "guest").status, 401);
  // Wrong credentials are told the same as insufficient ones.
  EXPECT_EQ(get("/v2/p/app/tags/list", "wrong").body, get("/v2/p/app/tags/list", "none").body);
  EXPECT_EQ(get("/v2/single/tags/list", "").code(), "NAME_INVALID");
  EXPECT_EQ(head("/v2/p/app/blobs/sha256:short").status, 404);
}

TEST_F(ApiTest, ManifestRoundTrip) {
  const std::string manifest = simple_manifest();
  const std::string digest = manifest_part(manifest).digest;
  const Reply put = put_manifest("/v2/p/app/manifests/v1", manifest);
  ASSERT_EQ(put.status, 201) << put.body;
  EXPECT_EQ(put.header("Location"), "/v2/p/app/manifests/" + digest);
  EXPECT_EQ(put.header("Docker-Content-Digest"), digest);
  EXPECT_EQ(put.header("OCI-Tag"), "(absent)");
  EXPECT_EQ(put.header("OCI-Subject"), "(absent)");
  EXPECT_EQ(last_endpoint, "PUT /v2/{name}/manifests/{reference}");

  const Reply by_tag = get("/v2/p/app/manifests/v1");
  EXPECT_EQ(by_tag.status, 200);
  EXPECT_TRUE(by_tag.inline_answer);
  EXPECT_EQ(by_tag.body, manifest);
  EXPECT_EQ(by_tag.header("Docker-Content-Digest"), digest);
  EXPECT_EQ(by_tag.response.etag(), "\"" + digest + "\"");
  EXPECT_EQ(get("/v2/p/app/manifests/" + digest).body, manifest);
  EXPECT_EQ(get("/v2/p/app/manifests/sha256%3A" + digest.substr(7)).status, 200);
  const Reply headed = head("/v2/p/app/manifests/v1");
  EXPECT_EQ(headed.status, 200);
  EXPECT_EQ(headed.response.content_length(), manifest.size());
  EXPECT_EQ(headed.body, "");
  const Reply slow = get("/v2/p/app/manifests/v1", "slow guest");
  EXPECT_EQ(slow.status, 200);
  EXPECT_FALSE(slow.inline_answer);
  const Reply bare =
      ask({http::Method::kGet, "/v2/p/app/manifests/v1", {}, {{"If-None-Match", digest}}});
  EXPECT_EQ(bare.status, 304);

  EXPECT_EQ(get("/v2/p/app/manifests/v2").code(), "MANIFEST_UNKNOWN");
  EXPECT_EQ(get("/v2/p/app/manifests/.bad").status, 404);
  EXPECT_EQ(get("/v2/p/none/manifests/v1").code(), "NAME_UNKNOWN");
  EXPECT_EQ(get("/v2/p/app/manifests/v1", "none").status, 401);
}

TEST_F(ApiTest, LargeManifestsAreReadOnThePool) {
  bench.put_blob("p/app", "{}");
  const std::string large = image_json(
      config_part("{}"), {}, ",\"annotations\":{\"x\":\"" + std::string(70'000, 'y') + "\"}");
  ASSERT_EQ(put_manifest("/v2/p/app/manifests/large", large).status, 201);
  const Reply reply = get("/v2/p/app/manifests/large");
  EXPECT_FALSE(reply.inline_answer);
  EXPECT_EQ(reply.body, large);
  EXPECT_TRUE(head("/v2/p/app/manifests/large").inline_answer);
}

TEST_F(ApiTest, PushRefusals) {
  const std::string manifest = simple_manifest();
  EXPECT_EQ(put_manifest("/v2/p/app/manifests/.bad", manifest).status, 400);
  EXPECT_EQ(put_manifest("/v2/p/app/manifests/v1", "{").code(), "MANIFEST_INVALID");
  EXPECT_EQ(put_manifest("/v2/p/app/manifests/" + manifest_part("x").digest, manifest).code(),
            "DIGEST_INVALID");
  const Reply missing = put_manifest(
      "/v2/p/app/manifests/v1", image_json(config_part("{}"), {layer_part("a"), layer_part("b")}));
  EXPECT_EQ(missing.status, 400);
  const auto document = json::Document::parse(missing.body).value();
  ASSERT_EQ(document.root()["errors"].size(), 2U);
  EXPECT_EQ(document.root()["errors"].at(1)["code"].as_string(), "MANIFEST_BLOB_UNKNOWN");
  EXPECT_EQ(document.root()["errors"].at(1)["detail"].as_string(), layer_part("b").digest);
  std::string many = "/v2/p/app/manifests/v1?tag=t";
  for (int i = 0; i < 100; ++i) {
    many += "&tag=t" + std::to_string(i);
  }
  EXPECT_EQ(put_manifest(many, manifest).status, 400);
  EXPECT_EQ(bench.number("SELECT COUNT(*) FROM tag"), 0);
}

TEST_F(ApiTest, SeveralTagsAndSubject) {
  const std::string subject = simple_manifest();
  const std::string referrer =
      image_json(config_part("{}"), {},
                 subject_json(subject) + R"(,"artifactType":"application/vnd.x",)"
                                         R"("annotations":{"k":"v"})");
  const Reply put = put_manifest(
      "/v2/p/app/manifests/" + manifest_part(referrer).digest + "?tag=a&tag=b&tag=a", referrer);
  ASSERT_EQ(put.status, 201) << put.body;
  EXPECT_EQ(put.header("OCI-Tag"), "a, b");
  EXPECT_EQ(put.header("OCI-Subject"), manifest_part(subject).digest);
  const std::string list = "/v2/p/app/referrers/" + manifest_part(subject).digest;
  const Reply all = get(list);
  EXPECT_EQ(all.status, 200);
  EXPECT_EQ(all.body,
            fmt::format(R"({{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1)"
                        R"(+json","manifests":[{{"mediaType":"application/vnd.oci.image.manifest)"
                        R"(.v1+json","digest":"{}","size":{},"annotations":{{"k":"v"}},)"
                        R"("artifactType":"application/vnd.x"}}]}})",
                        manifest_part(referrer).digest, referrer.size()));
  EXPECT_EQ(all.header("OCI-Filters-Applied"), "(absent)");
  EXPECT_EQ(all.header("X-Total-Count"), "1");
  const Reply filtered = get(list + "?artifactType=application%2Fvnd.y");
  EXPECT_EQ(filtered.header("OCI-Filters-Applied"), "artifactType");
  EXPECT_NE(filtered.body.find("\"manifests\":[]"), std::string::npos);
  EXPECT_EQ(get("/v2/p/never/referrers/" + manifest_part("x").digest).status, 200);
  EXPECT_EQ(get("/v2/p/app/referrers/v1").code(), "DIGEST_INVALID");
}

TEST_F(ApiTest, ChunkedUpload) {
  const Reply start = ask({http::Method::kPost, "/v2/p/app/blobs/uploads/", {}, {}, "dev"});
  ASSERT_EQ(start.status, 202) << start.body;
  const std::string where = start.header("Location");
  EXPECT_TRUE(where.starts_with("/v2/p/app/blobs/uploads/")) << where;
  EXPECT_EQ(where.find('?'), std::string::npos);
  EXPECT_EQ(start.header("Range"), "0-0");
  EXPECT_EQ(start.header("Docker-Upload-UUID"), where.substr(where.rfind('/') + 1));

  const Reply first = ask({http::Method::kPatch, where, "hello ", {{"Content-Range", "0-5"}}});
  EXPECT_EQ(first.status, 202) << first.body;
  EXPECT_EQ(first.header("Range"), "0-5");
  EXPECT_EQ(first.header("Location"), where);
  const Reply gap = ask({http::Method::kPatch, where, "x", {{"Content-Range", "7-7"}}});
  EXPECT_EQ(gap.status, 416);
  EXPECT_EQ(gap.header("Range"), "0-5");
  EXPECT_EQ(gap.header("Location"), where);
  EXPECT_EQ(ask({http::Method::kPatch, where, "x", {{"Content-Range", "bytes 6-6/7"}}}).status,
            400);
  EXPECT_EQ(ask({http::Method::kPatch, where, "xy", {{"Content-Range", "6-6"}}}).code(),
            "SIZE_INVALID");
  const Reply status = get(where);
  EXPECT_EQ(status.status, 204);
  EXPECT_EQ(status.header("Range"), "0-5");
  EXPECT_EQ(ask({http::Method::kPut, where}).code(), "DIGEST_INVALID");
  EXPECT_EQ(ask({http::Method::kPut, where + "?digest=sha256:short"}).code(), "DIGEST_INVALID");
  const std::string digest = layer_part("hello world").digest;
  Ask last{http::Method::kPut, where + "?digest=" + digest, "world"};
  last.length_known = false;
  const Reply done = ask(last);
  ASSERT_EQ(done.status, 201) << done.body;
  EXPECT_EQ(done.header("Location"), "/v2/p/app/blobs/" + digest);
  EXPECT_EQ(done.header("Docker-Content-Digest"), digest);
  EXPECT_EQ(get(where).code(), "BLOB_UPLOAD_UNKNOWN");

  const Reply blob = get("/v2/p/app/blobs/" + digest);
  EXPECT_EQ(blob.status, 200);
  EXPECT_EQ(blob.body, "hello world");
  EXPECT_TRUE(blob.response.ranges_allowed());
  EXPECT_EQ(blob.header("Docker-Content-Digest"), digest);
  EXPECT_EQ(head("/v2/p/app/blobs/" + digest).response.content_length(), 11U);
}

TEST_F(ApiTest, WrongDigestEndsTheUpload) {
  const std::string where =
      ask({http::Method::kPost, "/v2/p/app/blobs/uploads/"}).header("Location");
  const Reply wrong =
      ask({http::Method::kPut, where + "?digest=" + layer_part("x").digest, "other"});
  EXPECT_EQ(wrong.status, 400);
  EXPECT_EQ(wrong.code(), "DIGEST_INVALID");
  EXPECT_EQ(get(where).code(), "BLOB_UPLOAD_UNKNOWN");
}

TEST_F(ApiTest, OneRequestUploadsAndMounts) {
  const std::string digest = layer_part("whole").digest;
  const Reply single =
      ask({http::Method::kPost, "/v2/p/app/blobs/uploads/?digest=" + digest, "whole"});
  ASSERT_EQ(single.status, 201) << single.body;
  EXPECT_EQ(single.header("Location"), "/v2/p/app/blobs/" + digest);
  EXPECT_EQ(ask({http::Method::kPost, "/v2/p/app/blobs/uploads/?digest=" + digest, "other"}).code(),
            "DIGEST_INVALID");
  EXPECT_EQ(ask({http::Method::kPost, "/v2/p/app/blobs/uploads/?digest=" + digest}).status, 202);
  const std::string empty = layer_part("").digest;
  EXPECT_EQ(ask({http::Method::kPost, "/v2/p/app/blobs/uploads/?digest=" + empty}).status, 201);
  const auto mount = [&](const std::string& query, const std::string& as) {
    return ask(
        {http::Method::kPost, "/v2/p/to/blobs/uploads/?mount=" + digest + query, {}, {}, as});
  };
  EXPECT_EQ(mount("&from=p/none", "dev").status, 202);
  EXPECT_EQ(mount("&from=nowhere/x", "dev").status, 202);
  EXPECT_EQ(mount("&from=p/app", "guest").status, 401);
  const Reply mounted = mount("&from=p/app", "dev");
  EXPECT_EQ(mounted.status, 201);
  EXPECT_EQ(mounted.header("Location"), "/v2/p/to/blobs/" + digest);
  EXPECT_EQ(mount("", "dev").status, 201);
  EXPECT_EQ(ask({http::Method::kPost, "/v2/p/to/blobs/uploads/?mount=bad&from=p/app"}).status, 202);
  EXPECT_EQ(ask({http::Method::kPost, "/v2/p/to/blobs/uploads/?digest-algorithm=sha512"}).status,
            202);
  EXPECT_EQ(ask({http::Method::kPost, "/v2/p/to/blobs/uploads/?digest-algorithm=md5"}).status, 400);
}

TEST_F(ApiTest, BlobsThatAreRowsAndFilesAnswerAlike) {
  for (const std::size_t size : {0U, 11U, 16'384U, 16'385U}) {
    const std::string content(size, 'x');
    const std::string digest = layer_part(content).digest;
    const std::string where = "/v2/p/app/blobs/" + digest;
    ASSERT_EQ(
        ask({http::Method::kPost, "/v2/p/app/blobs/uploads/?digest=" + digest, content}).status,
        201);
    const Reply blob = get(where);
    EXPECT_EQ(blob.status, 200);
    EXPECT_EQ(blob.body, content);
    EXPECT_TRUE(blob.inline_answer) << "one read, on the I/O thread";
    EXPECT_TRUE(blob.response.ranges_allowed());
    EXPECT_EQ(blob.response.etag(), '"' + digest + '"');
    EXPECT_EQ(blob.header("Docker-Content-Digest"), digest);
    const Reply asked = head(where);
    EXPECT_EQ(asked.status, 200);
    EXPECT_EQ(asked.body, "");
    EXPECT_EQ(asked.response.content_length(), size);
    EXPECT_EQ(asked.response.etag(), '"' + digest + '"');
    const std::string mount = "/v2/open/app/blobs/uploads/?from=p/app&mount=" + digest;
    EXPECT_EQ(ask({http::Method::kPost, mount}).status, 201);
    EXPECT_EQ(ask({http::Method::kDelete, where}).status, 202);
    EXPECT_EQ(get(where).code(), "BLOB_UNKNOWN");
    EXPECT_EQ(get("/v2/open/app/blobs/" + digest).body, content);
  }
  EXPECT_EQ(bench.number("SELECT COUNT(*) FROM blob_content"), 3);
}

TEST_F(ApiTest, ARowThatLostItsContentIsNotTheClientsMistake) {
  const std::string where = "/v2/p/app/blobs/" + bench.put_blob("p/app", "content").to_string();
  bench.execute("UPDATE blob_content SET bytes = x'00'");
  EXPECT_EQ(get(where).code(), "UNKNOWN");
  EXPECT_NE(get(where).body.find("roadstead fsck"), std::string::npos);
  bench.execute("DELETE FROM blob_content");
  EXPECT_EQ(get(where).status, 500);
}

TEST_F(ApiTest, DamagedContentIsAbsentUntilItIsPushedAgain) {
  const std::string manifest = simple_manifest();
  const std::string digest = layer_part("layer").digest;
  bench.execute("UPDATE blob SET damaged_at = 1 WHERE digest = ?", {digest});
  EXPECT_EQ(get("/v2/p/app/blobs/" + digest).code(), "BLOB_UNKNOWN");
  EXPECT_EQ(ask({http::Method::kPost, "/v2/p/to/blobs/uploads/?mount=" + digest}).status, 202);
  EXPECT_EQ(put_manifest("/v2/p/app/manifests/v1", manifest).code(), "MANIFEST_BLOB_UNKNOWN");
  bench.put_blob("p/app", "layer");
  EXPECT_EQ(get("/v2/p/app/blobs/" + digest).body, "layer");
}

TEST_F(ApiTest, CancelAndUnknownUploads) {
  const std::string where =
      ask({http::Method::kPost, "/v2/p/app/blobs/uploads/"}).header("Location");
  EXPECT_EQ(ask({http::Method::kDelete, where, {}, {}, "guest"}).status, 401);
  EXPECT_EQ(ask({http::Method::kDelete, where}).status, 204);
  EXPECT_EQ(ask({http::Method::kDelete, where}).code(), "BLOB_UPLOAD_UNKNOWN");
  EXPECT_EQ(ask({http::Method::kPatch, where, "x"}).code(), "BLOB_UPLOAD_UNKNOWN");
  EXPECT_EQ(ask({http::Method::kPut, where + "?digest=" + layer_part("x").digest, "x"}).status,
            404);
}

TEST_F(ApiTest, QuotaIsForbidden) {
  bench.set_quota(project, 3);
  const Reply refused =
      ask({http::Method::kPost, "/v2/p/app/blobs/uploads/?digest=" + layer_part("four").digest,
           "four"});
  EXPECT_EQ(refused.status, 403);
  EXPECT_EQ(refused.code(), "DENIED");
  EXPECT_NE(refused.body.find("adding 4 B of storage resource, which when updated to current usage "
                              "of 0 B will exceed the configured upper limit of 3 B."),
            std::string::npos)
      << refused.body;
}

TEST_F(ApiTest, TooManyUploadsAre429) {
  for (std::int64_t i = 0; i < bench.options.uploads_per_identity_max; ++i) {
    const Reply started = ask({http::Method::kPost, "/v2/p/app/blobs/uploads/"});
    ASSERT_EQ(ask({http::Method::kPatch, started.header("Location"), "x"}).status, 202);
  }
  // An announced upload costs nothing; the first kept byte makes it an open one.
  const Reply started = ask({http::Method::kPost, "/v2/p/app/blobs/uploads/"});
  ASSERT_EQ(started.status, 202);
  const Reply refused = ask({http::Method::kPatch, started.header("Location"), "x"});
  EXPECT_EQ(refused.status, 429);
  EXPECT_EQ(refused.code(), "TOOMANYREQUESTS");
  EXPECT_EQ(refused.header("Retry-After"), "30");
}

TEST_F(ApiTest, Deleting) {
  const std::string manifest = simple_manifest();
  const std::string digest = manifest_part(manifest).digest;
  ASSERT_EQ(put_manifest("/v2/p/app/manifests/v1", manifest).status, 201);
  const auto remove = [&](const std::string& what, const std::string& as = "admin") {
    return ask({http::Method::kDelete, "/v2/p/app/" + what, {}, {}, as});
  };
  EXPECT_EQ(remove("manifests/" + digest, "dev").status, 401);
  const Reply needed = remove("blobs/" + layer_part("layer").digest);
  EXPECT_EQ(needed.status, 405);
  EXPECT_EQ(needed.code(), "UNSUPPORTED");
  EXPECT_EQ(remove("manifests/v1").status, 202);
  EXPECT_EQ(remove("manifests/v1").code(), "MANIFEST_UNKNOWN");
  EXPECT_EQ(get("/v2/p/app/manifests/" + digest).status, 200);
  EXPECT_EQ(remove("manifests/" + digest).status, 202);
  EXPECT_EQ(remove("manifests/" + digest).status, 404);
  EXPECT_EQ(remove("blobs/" + layer_part("layer").digest).status, 202);
  EXPECT_EQ(head("/v2/p/app/blobs/" + layer_part("layer").digest).status, 404);
  EXPECT_EQ(remove("blobs/sha256:short").code(), "DIGEST_INVALID");
}

TEST_F(ApiTest, ListsWithLinks) {
  const std::string manifest = simple_manifest();
  ASSERT_EQ(put_manifest("/v2/p/app/manifests/b?tag=a&tag=c", manifest).status, 201);
  const Reply tags = get("/v2/p/app/tags/list?n=2");
  EXPECT_EQ(tags.body, R"({"name":"p/app","tags":["a","b"]})");
  EXPECT_EQ(tags.header("Link"), "</v2/p/app/tags/list?last=b&n=2>; rel=\"next\"");
  EXPECT_TRUE(tags.inline_answer);
  EXPECT_EQ(get("/v2/p/app/tags/list?n=2&last=b").header("Link"), "(absent)");
  EXPECT_EQ(get("/v2/p/app/tags/list?n=0").body, R"({"name":"p/app","tags":[]})");
  EXPECT_EQ(get("/v2/p/app/tags/list?n=-1").status, 400);
  EXPECT_EQ(get("/v2/p/app/tags/list?n=99999999999999999999").status, 400);
  EXPECT_EQ(get("/v2/p/none/tags/list").code(), "NAME_UNKNOWN");
  ASSERT_EQ(put_manifest("/v2/open/app/manifests/v1", manifest).status, 400);
  bench.put_image("open/app", "v1", "x");
  const Reply catalog = get("/v2/_catalog?n=1");
  EXPECT_EQ(catalog.body, R"({"repositories":["open/app"]})");
  EXPECT_EQ(catalog.header("Link"), "</v2/_catalog?last=open%2Fapp&n=1>; rel=\"next\"");
  EXPECT_EQ(get("/v2/_catalog?last=open/app").body, R"({"repositories":["p/app"]})");
  for (const std::string as : {"", "guest", "wrong"}) {
    const Reply refused = get("/v2/_catalog", as);
    EXPECT_EQ(refused.status, 401);
    EXPECT_EQ(refused.header("WWW-Authenticate"), "Basic realm=\"harbor\"");
    EXPECT_NE(refused.body.find("unauthorized to list catalog: unauthorized to list catalog"),
              std::string::npos);
  }
  EXPECT_EQ(get("/v2/open/app/tags/list", "none").status, 200);
}

TEST_F(ApiTest, PathsAndMethods) {
  EXPECT_EQ(get("/v2/nothing").status, 404);
  EXPECT_EQ(get("/v2").status, 404);
  EXPECT_EQ(get("/v2/p/app/else/v1").status, 404);
  EXPECT_EQ(get("/v2/single/tags/list").code(), "NAME_INVALID");
  EXPECT_EQ(get("/v2/p/UPPER/tags/list").code(), "NAME_INVALID");
  EXPECT_EQ(get("/v2/p/a..b/tags/list").code(), "NAME_INVALID");
  EXPECT_EQ(get("/v2/p/..%2f..%2fetc/tags/list").code(), "NAME_INVALID");
  EXPECT_EQ(get("/v2/p/a%zz/tags/list").status, 400);
  const Reply method = ask({http::Method::kPost, "/v2/p/app/manifests/v1", "x"});
  EXPECT_EQ(method.status, 405);
  EXPECT_EQ(method.header("Allow"), "DELETE, GET, HEAD, PUT");
  const Reply start = ask({http::Method::kPost, "/v2/p//double/blobs/uploads/"});
  EXPECT_EQ(start.status, 202);
  EXPECT_TRUE(start.header("Location").starts_with("/v2/p/double/blobs/uploads/"));
  EXPECT_EQ(ask({http::Method::kPost, "/v2/p/app/blobs/uploads"}).status, 202);
  // Words of the API may be parts of names.
  EXPECT_EQ(ask({http::Method::kPost, "/v2/p/blobs/uploads/blobs/uploads/"}).status, 202);
  EXPECT_EQ(get("/v2/p/manifests/tags/tags/list").code(), "NAME_UNKNOWN");
  EXPECT_EQ(last_identity, "user:" + bench.person(bench.admin).name);
}

TEST(Errors, OfAFullDiskTellWhyAndNothingOfTheServersFiles) {
  const SystemClock clock;
  log::Sink sink(2, log::Format::kText, log::Level::kError, clock);
  const auto response =
      error_response(system_error(ENOSPC, "open /srv/uploads/1234"), log::Logger(sink));
  EXPECT_EQ(response.status(), 503);
  const std::string& body = std::get<std::string>(response.body());
  EXPECT_NE(body.find("full or read-only"), std::string::npos) << body;
  EXPECT_EQ(body.find("/srv"), std::string::npos) << body;
}

}  // namespace
}  // namespace roadstead::api::oci
