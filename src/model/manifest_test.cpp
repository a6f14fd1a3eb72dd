#include "model/manifest.h"

#include <gtest/gtest.h>

namespace roadstead::model {
namespace {

const std::string kDigestA = "sha256:" + std::string(64, 'a');
const std::string kDigestB = "sha512:" + std::string(128, 'b');

std::string in_quotes(std::string_view text) {
  return "\"" + std::string(text) + "\"";
}

std::string descriptor(std::string_view type, const std::string& digest = kDigestA,
                       const std::string& rest = "") {
  return R"({"mediaType":)" + in_quotes(type) + R"(,"digest":)" + in_quotes(digest) +
         R"(,"size":7)" + rest + "}";
}

// {"schemaVersion":2, <members>}
std::string document(const std::string& members) {
  return R"({"schemaVersion":2)" + (members.empty() ? "" : "," + members) + "}";
}

std::string own_type(std::string_view type) {
  return R"("mediaType":)" + in_quotes(type);
}

const std::string kConfig = R"("config":)" + descriptor(media_type::kOciConfig);
const std::string kLayers =
    R"("layers":[)" + descriptor("application/vnd.oci.image.layer.v1.tar+gzip", kDigestB) + "]";
const std::string kImage = kConfig + "," + kLayers;
const std::string kIndex = R"("manifests":[)" + descriptor(media_type::kOciManifest) + "]";

void expect_refused(const std::string& text, std::string_view content_type,
                    std::string_view message_part) {
  const auto result = parse_manifest(text, content_type);
  ASSERT_FALSE(result) << text.substr(0, 300);
  EXPECT_EQ(result.error().code, Code::kInvalid);
  EXPECT_EQ(result.error().subject, Subject::kManifest);
  EXPECT_NE(result.error().message.find(message_part), std::string::npos)
      << result.error().message << "\n  wanted: " << message_part;
}

TEST(Manifest, ReadsAnImage) {
  const auto m = parse_manifest(
      document(own_type(media_type::kOciManifest) + "," + kImage +
               R"(,"artifactType":"application/vnd.x","annotations":{"k":"v","a":""},"subject":)" +
               descriptor(media_type::kOciManifest) + R"(,"unknown":[1,{"x":null}])"),
      media_type::kOciManifest);
  ASSERT_TRUE(m) << m.error().message;
  EXPECT_EQ(m->kind, Manifest::Kind::kImage);
  EXPECT_EQ(m->media_type, media_type::kOciManifest);
  EXPECT_EQ(m->artifact_type, "application/vnd.x");
  ASSERT_TRUE(m->config);
  EXPECT_EQ(m->config->digest.to_string(), kDigestA);
  EXPECT_EQ(m->config->size, 7);
  ASSERT_EQ(m->layers.size(), 1U);
  EXPECT_EQ(m->layers[0].digest.to_string(), kDigestB);
  ASSERT_TRUE(m->subject);
  EXPECT_EQ(m->subject->media_type, media_type::kOciManifest);
  const std::vector<std::pair<std::string, std::string>> annotations = {{"k", "v"}, {"a", ""}};
  EXPECT_EQ(m->annotations, annotations);
  EXPECT_TRUE(m->manifests.empty());
}

TEST(Manifest, ReadsAnIndexWithPlatforms) {
  const std::string child = descriptor(
      media_type::kDockerManifest, kDigestA,
      R"(,"platform":{"architecture":"arm","os":"windows","os.version":"10.0",)"
      R"("os.features":["win32k"],"variant":"v7","features":["sse4"]},"urls":["https://x"],)"
      R"("artifactType":"a/b","annotations":{"k":"v"},"data":"e30=")");
  const auto m =
      parse_manifest(document(R"("manifests":[)" + child + "]"), media_type::kDockerList);
  ASSERT_TRUE(m) << m.error().message;
  EXPECT_EQ(m->kind, Manifest::Kind::kIndex);
  EXPECT_EQ(m->media_type, media_type::kDockerList);
  ASSERT_EQ(m->manifests.size(), 1U);
  const Descriptor& d = m->manifests[0];
  ASSERT_TRUE(d.platform);
  EXPECT_EQ(d.platform->architecture, "arm");
  EXPECT_EQ(d.platform->os, "windows");
  EXPECT_EQ(d.platform->os_version, "10.0");
  EXPECT_EQ(d.platform->os_features, std::vector<std::string>{"win32k"});
  EXPECT_EQ(d.platform->variant, "v7");
  EXPECT_EQ(d.urls, std::vector<std::string>{"https://x"});
  EXPECT_EQ(d.artifact_type, "a/b");
  EXPECT_EQ(d.annotations.size(), 1U);
  EXPECT_FALSE(m->config);
}

TEST(Manifest, MediaTypeComesFromHeaderThenContentThenShape) {
  struct Case {
    std::string members;
    std::string_view content_type;
    std::string_view expected;
  };
  const Case cases[] = {
      {kImage, media_type::kOciManifest, media_type::kOciManifest},
      {kImage, media_type::kDockerManifest, media_type::kDockerManifest},
      {kImage, "Application/VND.oci.image.manifest.v1+json", media_type::kOciManifest},
      {own_type(media_type::kDockerManifest) + "," + kImage, "", media_type::kDockerManifest},
      {own_type(media_type::kDockerList) + "," + kIndex, "", media_type::kDockerList},
      {kImage, "", media_type::kOciManifest},
      {kConfig, "", media_type::kOciManifest},
      {kIndex, "", media_type::kOciIndex},
      {kIndex, media_type::kOciIndex, media_type::kOciIndex},
  };
  for (const Case& c : cases) {
    const auto m = parse_manifest(document(c.members), c.content_type);
    ASSERT_TRUE(m) << c.members << m.error().message;
    EXPECT_EQ(m->media_type, c.expected);
  }
}

TEST(Manifest, EmptyAndNullListsAreFine) {
  for (const std::string& members :
       {kConfig + "", kConfig + R"(,"layers":[])", kConfig + R"(,"layers":null)",
        kConfig + R"(,"layers":[],"manifests":null,"subject":null,"annotations":null)"}) {
    EXPECT_TRUE(parse_manifest(document(members), media_type::kOciManifest)) << members;
  }
  for (const std::string& members :
       {std::string(R"("manifests":[])"), std::string(R"("manifests":null)"),
        std::string(R"("manifests":[],"config":null,"layers":null)")}) {
    EXPECT_TRUE(parse_manifest(document(members), media_type::kOciIndex)) << members;
  }
}

TEST(Manifest, MediaTypeAgainstContent) {
  const std::string image = document(own_type(media_type::kOciManifest) + "," + kImage);
  expect_refused(image, media_type::kDockerManifest, "does not match Content-Type");
  expect_refused(image, media_type::kOciIndex, "does not match Content-Type");
  expect_refused(image, "text/plain", "\"text/plain\" is not a media type of manifests");
  expect_refused(image, "application/json", "application/json");
  expect_refused(document(own_type("application/x") + "," + kImage), "", "application/x");
  expect_refused(document(own_type("application/x") + "," + kImage), media_type::kOciManifest,
                 "does not match");
  expect_refused(document(R"("mediaType":7,)" + kImage), media_type::kOciManifest, "mediaType");
  expect_refused(document(kImage), media_type::kOciIndex, "must not have");
  expect_refused(document(kIndex), media_type::kOciManifest, "must not have");
  expect_refused(document(""), "", "neither");
  expect_refused(document(""), media_type::kOciManifest, "config");
  expect_refused(document(""), media_type::kOciIndex, "manifests");
}

TEST(Manifest, Schema1IsRefusedByName) {
  const std::string one =
      R"({"schemaVersion":1,"name":"a/b","tag":"x","fsLayers":[],"history":[]})";
  for (const std::string_view type :
       {std::string_view(), media_type::kDockerSchema1, media_type::kDockerSchema1Signed,
        media_type::kOciManifest, media_type::kDockerManifest}) {
    expect_refused(one, type, "schema 1");
    expect_refused(one, type, "newer client");
  }
  expect_refused("not json", media_type::kDockerSchema1Signed, "schema 1");
  expect_refused(document(own_type(media_type::kDockerSchema1)), "", "schema 1");
  expect_refused(document(R"("fsLayers":[],)" + kImage), media_type::kOciManifest, "schema 1");
}

TEST(Manifest, SchemaVersionMustBeTwo) {
  for (const char* version : {"3", "0", "\"2\"", "2.0", "null", "true"}) {
    expect_refused(R"({"schemaVersion":)" + std::string(version) + "," + kImage + "}",
                   media_type::kOciManifest, "schemaVersion");
  }
  expect_refused("{" + kImage + "}", media_type::kOciManifest, "schemaVersion");
}

TEST(Manifest, AmbiguousDocumentsAreRefused) {
  const std::string both = document(kImage + "," + kIndex);
  for (const std::string_view type : {std::string_view(), media_type::kOciManifest,
                                      media_type::kOciIndex, media_type::kDockerList}) {
    expect_refused(both, type, "must not have");
  }
  expect_refused(document(kLayers + "," + kIndex), media_type::kOciIndex, "must not have");
  expect_refused(document(kConfig + "," + kIndex), media_type::kOciIndex, "must not have");
  expect_refused(document(kImage + R"(,"manifests":[])"), media_type::kOciManifest,
                 "must not have");
  expect_refused(document(kImage + R"(,"Manifests":[])"), media_type::kOciManifest, "ambiguous");
  expect_refused(document(kImage + R"(,"LAYERS":[])"), media_type::kOciManifest, "ambiguous");
}

TEST(Manifest, BadDescriptors) {
  const std::string good_digest = R"("digest":)" + in_quotes(kDigestA);
  struct Case {
    std::string descriptor;
    std::string_view message;
  };
  const Case cases[] = {
      {"7", "config must be an object"},
      {"[]", "config must be an object"},
      {"{" + good_digest + R"(,"size":1})", "config.mediaType"},
      {R"({"mediaType":"","size":1,)" + good_digest + "}", "config.mediaType"},
      {R"({"mediaType":"a\nb","size":1,)" + good_digest + "}", "config.mediaType"},
      {R"({"mediaType":")" + std::string(256, 'a') + R"(","size":1,)" + good_digest + "}",
       "config.mediaType"},
      {R"({"mediaType":5,"size":1,)" + good_digest + "}", "config.mediaType"},
      {R"({"mediaType":"a/b","size":1})", "config.digest"},
      {R"({"mediaType":"a/b","size":1,"digest":"sha256:abc"})", "config.digest"},
      {R"({"mediaType":"a/b","size":1,"digest":9})", "config.digest"},
      {R"({"mediaType":"a/b",)" + good_digest + "}", "config.size"},
      {R"({"mediaType":"a/b","size":-1,)" + good_digest + "}", "config.size"},
      {R"({"mediaType":"a/b","size":1.5,)" + good_digest + "}", "config.size"},
      {R"({"mediaType":"a/b","size":"1",)" + good_digest + "}", "config.size"},
      {R"({"mediaType":"a/b","size":9223372036854775808,)" + good_digest + "}", "config.size"},
      {descriptor("a/b", kDigestA, R"(,"annotations":{"k":1})"), "config.annotations.k"},
      {descriptor("a/b", kDigestA, R"(,"annotations":[])"), "config.annotations"},
      {descriptor("a/b", kDigestA, R"(,"urls":"x")"), "config.urls"},
      {descriptor("a/b", kDigestA, R"(,"urls":[1])"), "config.urls[0]"},
      {descriptor("a/b", kDigestA, R"(,"platform":[])"), "config.platform"},
      {descriptor("a/b", kDigestA, R"(,"platform":{"os":1})"), "config.platform.os"},
      {descriptor("a/b", kDigestA, R"(,"artifactType":1)"), "config.artifactType"},
  };
  for (const Case& c : cases) {
    expect_refused(document(R"("config":)" + c.descriptor + "," + kLayers),
                   media_type::kOciManifest, c.message);
  }
  expect_refused(document(kConfig + R"(,"layers":[{}])"), media_type::kOciManifest,
                 "layers[0].mediaType");
  expect_refused(document(kConfig + R"(,"layers":{})"), media_type::kOciManifest, "layers");
  expect_refused(document(kImage + R"(,"subject":"x")"), media_type::kOciManifest, "subject");
  expect_refused(document(kImage + R"(,"annotations":{"a":{}})"), media_type::kOciManifest,
                 "annotations.a");
  expect_refused(document(R"("manifests":[null])"), media_type::kOciIndex, "manifests[0]");
}

TEST(Manifest, NotAJsonObject) {
  for (const char* text : {"", "{", "[]", "null", "\"x\"", "{}x", "\xff"}) {
    const auto result = parse_manifest(text, media_type::kOciManifest);
    ASSERT_FALSE(result) << text;
    EXPECT_EQ(result.error().subject, Subject::kManifest);
  }
}

std::string index_of(std::size_t children) {
  std::string list;
  for (std::size_t i = 0; i < children; ++i) {
    list += (i == 0 ? "" : ",") + descriptor("a/b");
  }
  return R"("manifests":[)" + list + "]";
}

TEST(Manifest, LimitsReferences) {
  EXPECT_TRUE(parse_manifest(document(index_of(5'000)), media_type::kOciIndex));
  expect_refused(document(index_of(5'001)), media_type::kOciIndex, "5000");
  expect_refused(document(index_of(5'000) + R"(,"subject":)" + descriptor("a/b")),
                 media_type::kOciIndex, "5000");
}

TEST(Manifest, LimitsDepthAndSize) {
  const auto nested = [](std::size_t depth) {
    return document(kImage + R"(,"x":)" + std::string(depth, '[') + std::string(depth, ']'));
  };
  EXPECT_TRUE(parse_manifest(nested(31), media_type::kOciManifest));
  expect_refused(nested(32), media_type::kOciManifest, "");
  const std::string head = R"({"schemaVersion":2,)" + kImage + R"(,"x":")";
  const std::string fits = head + std::string(kManifestSizeMax - head.size() - 2, 'x') + "\"}";
  ASSERT_EQ(fits.size(), kManifestSizeMax);
  EXPECT_TRUE(parse_manifest(fits, media_type::kOciManifest));
  const auto large = parse_manifest(fits + " ", media_type::kOciManifest);
  ASSERT_FALSE(large);
  EXPECT_EQ(large.error().code, Code::kTooLarge);
  EXPECT_EQ(large.error().subject, Subject::kManifest);
}

TEST(Manifest, EffectiveArtifactType) {
  const auto effective = [](const std::string& members, std::string_view type) {
    return parse_manifest(document(members), type).value().effective_artifact_type();
  };
  const std::string written = R"(,"artifactType":"application/x")";
  EXPECT_EQ(effective(kImage + written, media_type::kOciManifest), "application/x");
  EXPECT_EQ(effective(kImage, media_type::kOciManifest), media_type::kOciConfig);
  EXPECT_EQ(effective(kIndex + written, media_type::kOciIndex), "application/x");
  EXPECT_EQ(effective(kIndex, media_type::kOciIndex), "");
}

TEST(Descriptor, Distributable) {
  const auto distributable = [](const std::string& type) {
    return Descriptor{type, Digest::of(""), 0, {}, {}, {}, {}}.distributable();
  };
  EXPECT_TRUE(distributable("application/vnd.oci.image.layer.v1.tar+gzip"));
  EXPECT_TRUE(distributable("application/vnd.docker.image.rootfs.diff.tar.gzip"));
  EXPECT_FALSE(distributable("application/vnd.docker.image.rootfs.foreign.diff.tar.gzip"));
  EXPECT_FALSE(distributable("application/vnd.oci.image.layer.nondistributable.v1.tar"));
  EXPECT_FALSE(distributable("application/vnd.oci.image.layer.nondistributable.v1.tar+zstd"));
}

TEST(MediaType, IsManifestType) {
  EXPECT_TRUE(is_manifest_type(media_type::kOciManifest));
  EXPECT_TRUE(is_manifest_type(media_type::kDockerList));
  EXPECT_FALSE(is_manifest_type(media_type::kDockerSchema1));
  EXPECT_FALSE(is_manifest_type(media_type::kOciConfig));
  EXPECT_FALSE(is_manifest_type(""));
}

}  // namespace
}  // namespace roadstead::model
