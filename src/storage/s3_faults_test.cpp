#include <gmock/gmock.h>

#include "base/text.h"
#include "json/json.h"
#include "storage/internal/s3_context.h"
#include "storage/s3.h"
#include "storage/testing/blob_store_contract.h"
#include "storage/testing/s3_server.h"
#include "sys/process.h"
#include "sys/testing/scratch_directory.h"

namespace roadstead::storage::testing {
namespace {

using model::Algorithm;
using model::Digest;
using ::testing::IsEmpty;

constexpr std::size_t kLarge = 20'000'000;  // Three parts.

/// A store that loses, refuses and garbles.
class S3Faults : public ::testing::Test, public S3Observer {
 public:
  void attempted(const S3Attempt& /*attempt*/) override { ++attempts_; }
  void received(std::uint64_t /*bytes*/) override {}

 protected:
  static const S3Server& server() {
    static const std::unique_ptr<S3Server> running = S3Server::start_double();
    return *running;
  }
  void SetUp() override {
    server().control("/__reset", "{}");
    options_ = server().options(sys::random_uuid());
    options_.observer = this;
    store_ = open_s3_store(options_).value();
  }
  static void inject(std::string_view faults) { server().control("/__fault", faults); }
  static std::int64_t count(std::string_view operation) {
    const auto counts = json::Document::parse(server().control("/__count", "{}")).value();
    return counts.root()[operation].as_int().value_or(0);
  }
  [[nodiscard]] std::vector<std::string> left() const {
    return store_->stale_uploads(std::chrono::seconds(0)).value();
  }

  sys::testing::ScratchDirectory scratch_;
  S3Options options_;
  std::unique_ptr<BlobStore> store_;
  std::atomic<int> attempts_{0};
};

TEST_F(S3Faults, EachRequestOfAnUploadMayFailFirst) {
  const std::string content = sample_bytes(kLarge);
  for (const std::string_view kind : {"slow_down", "error", "drop", "lost"}) {
    for (const std::string_view operation : {"create_upload", "upload_part", "complete_upload"}) {
      inject("[{\"op\": \"" + std::string(operation) + "\", \"kind\": \"" + std::string(kind) +
             "\", \"times\": 2}]");
      const std::int64_t before = count(operation);
      const auto location = put(*store_, content);
      ASSERT_TRUE(location) << kind << " of " << operation << ": " << describe(location.error());
      EXPECT_EQ(get(*store_, *location).value(), content);
      EXPECT_GE(count(operation), before + 2) << kind;
    }
  }
  // Only uploads that were begun twice because the first answer was lost stay, to be found by age.
  EXPECT_LE(left().size(), 2U);
  for (const std::string& token : left()) {
    EXPECT_TRUE(store_->discard(token));
  }
  EXPECT_THAT(left(), IsEmpty());
  EXPECT_EQ(list_all(*store_, 100).size(), 12U) << "no blob went with them";
}

TEST_F(S3Faults, EachRequestForASmallBlobMayFailFirst) {
  for (const std::string_view kind : {"slow_down", "error", "drop", "lost"}) {
    for (const std::string_view operation : {"put_object", "get_object"}) {
      inject("[{\"op\": \"" + std::string(operation) + "\", \"kind\": \"" + std::string(kind) +
             "\", \"times\": 3}]");
      const auto location = put(*store_, "small");
      ASSERT_TRUE(location) << kind << " of " << operation;
      EXPECT_EQ(get(*store_, *location).value(), "small");
    }
  }
}

TEST_F(S3Faults, EachRequestOfRemovalsMayFailFirst) {
  for (const std::string_view kind : {"slow_down", "error", "drop", "lost"}) {
    const std::vector<Location> locations{put(*store_, "a").value(), put(*store_, "b").value()};
    inject("[{\"op\": \"delete_objects\", \"kind\": \"" + std::string(kind) + "\", \"times\": 2}]");
    EXPECT_TRUE(store_->remove(locations)) << kind;
    EXPECT_THAT(list_all(*store_, 100), IsEmpty());
  }
}

TEST_F(S3Faults, ManyAreRemovedByOneRequest) {
  std::vector<Location> locations;
  for (int i = 0; i < 20; ++i) {
    locations.push_back(put(*store_, std::to_string(i)).value());
  }
  EXPECT_TRUE(store_->remove(locations));
  EXPECT_EQ(count("delete_objects"), 1);
  EXPECT_EQ(count("delete_object"), 0);
}

TEST_F(S3Faults, RemovingManyMayTakeLong) {
  const std::vector<Location> locations{put(*store_, "a").value(), put(*store_, "b").value()};
  options_.silence_max = std::chrono::seconds(1);
  store_ = open_s3_store(options_).value();
  inject(R"([{"op": "delete_objects", "kind": "slower"}])");
  const int before = attempts_;
  EXPECT_TRUE(store_->remove(locations));
  EXPECT_EQ(attempts_, before + 1) << "it is waited for, and not asked for again";
}

TEST_F(S3Faults, WhatStaysBusyIsUnavailable) {
  inject(R"([{"op": "*", "kind": "slow_down", "times": 1000}])");
  const auto refused = put(*store_, "small");
  inject("[]");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::kUnavailable);
  EXPECT_EQ(refused.error().subject, Subject::kStorage);
  EXPECT_LE(attempts_, 10) << "there is a limit";
}

TEST_F(S3Faults, ABodyThatBreaksOffIsReadOn) {
  const std::string content = sample_bytes(kLarge);
  const Location location = put(*store_, content).value();
  inject(R"([{"op": "get_object", "kind": "truncate", "times": 3}])");
  EXPECT_EQ(get(*store_, location).value(), content);
}

TEST_F(S3Faults, ABodyThatAlwaysBreaksOffAtOnceIsAnError) {
  const Location location = put(*store_, "x").value();
  inject(R"([{"op": "get_object", "kind": "truncate", "times": 1000}])");
  const auto read = get(*store_, location);
  inject("[]");
  ASSERT_FALSE(read);
  EXPECT_EQ(read.error().code, Code::kUnavailable);
}

TEST_F(S3Faults, APartThatBecameAnotherIsNoticed) {
  const auto writer = store_->begin(Algorithm::kSha256, 0).value();
  const std::string content = sample_bytes(kLarge);
  inject(R"([{"op": "upload_part", "kind": "wrong_etag", "after": 1}])");
  ASSERT_TRUE(writer->append(bytes_of(content)));
  const auto committed = writer->commit(Digest::of(content));
  ASSERT_FALSE(committed);
  EXPECT_EQ(committed.error().detail, "InvalidPart");
  EXPECT_THAT(list_all(*store_, 100), IsEmpty());
  EXPECT_TRUE(writer->discard());
  EXPECT_THAT(left(), IsEmpty());
}

TEST_F(S3Faults, APartThatWasOverwrittenVoidsTheCheckpoint) {
  const std::string content = sample_bytes(kLarge);
  const auto slow = store_->begin(Algorithm::kSha256, 0).value();
  ASSERT_TRUE(slow->append(bytes_of(content).first(9'000'000)));
  const std::string first = slow->checkpoint().value();
  std::string token;
  {
    // Another process took the upload over and went on.
    const auto fast = store_->resume(first).value();
    ASSERT_TRUE(fast->append(bytes_of(content).subspan(9'000'000, 9'000'000)));
    token = fast->checkpoint().value();
  }
  // The first one has not noticed, and sends its second part with other bytes.
  ASSERT_TRUE(slow->append(bytes_of(sample_bytes(9'000'000, 7))));
  ASSERT_TRUE(slow->checkpoint());
  const auto resumed = store_->resume(token);
  ASSERT_FALSE(resumed);
  EXPECT_EQ(resumed.error().code, Code::kNotFound);
}

TEST_F(S3Faults, AnObjectThatBecameAnotherIsNoticed) {
  const std::string content = sample_bytes(kLarge);
  const Location location = put(*store_, content).value();
  const auto reader = store_->open_copy(location, Digest::of(content), Reading::kParts).value();
  inject(R"([{"op": "get_object", "kind": "wrong_etag"}])");
  std::string all(content.size(), '\0');
  const auto read = reader->read_at(0, std::as_writable_bytes(std::span(all)));
  ASSERT_FALSE(read);
  EXPECT_EQ(read.error().code, Code::kInternal);
}

TEST_F(S3Faults, AnErrorInsideOfAnAnswerIsNoSuccess) {
  const std::string content = sample_bytes(kLarge);
  inject(R"([{"op": "complete_upload", "kind": "late_error", "times": 2}])");
  const Location location = put(*store_, content).value();
  EXPECT_EQ(get(*store_, location).value(), content);
  EXPECT_EQ(count("complete_upload"), 3);
}

TEST_F(S3Faults, SlowPartsAreWaitedFor) {
  const std::string content = sample_bytes(kLarge);
  inject(R"([{"op": "upload_part", "kind": "slow", "times": 3}])");
  const auto begun = std::chrono::steady_clock::now();
  EXPECT_TRUE(put(*store_, content));
  EXPECT_LT(std::chrono::steady_clock::now() - begun, std::chrono::seconds(6)) << "all at once";
}

TEST_F(S3Faults, TheClockOfTheStoreCounts) {
  inject(R"([{"kind": "skew"}])");
  const auto location = put(*store_, "late");
  ASSERT_TRUE(location) << describe(location.error());
  EXPECT_EQ(get(*store_, *location).value(), "late");
}

TEST_F(S3Faults, AnUploadThatIsWrittenToIsNotStale) {
  const std::string content = sample_bytes(kLarge);
  std::string token;
  {
    const auto writer = store_->begin(Algorithm::kSha256, 0).value();
    ASSERT_TRUE(writer->append(bytes_of(content).first(17'000'000)));
    token = writer->checkpoint().value();
  }
  // The upload began long ago, and its parts are new.
  server().control("/__age", R"({"seconds": 100000})");
  EXPECT_THAT(store_->stale_uploads(std::chrono::hours(1)).value(), IsEmpty());
  EXPECT_TRUE(store_->resume(token));
}

void read_in_pieces(BlobReader& reader, std::string_view content) {
  std::string piece(100'000, '\0');
  for (std::size_t at = 0; at < content.size(); at += piece.size()) {
    ASSERT_TRUE(reader.read_at(at, std::as_writable_bytes(std::span(piece))));
    ASSERT_EQ(piece, content.substr(at, piece.size()));
  }
}

TEST_F(S3Faults, TheWholeIsOneRequest) {
  const std::string content = sample_bytes(kLarge);
  const Location location = put(*store_, content).value();
  read_in_pieces(*store_->open(location).value(), content);
  EXPECT_EQ(count("get_object"), 1);
}

TEST_F(S3Faults, AGibibyteOfPartsWouldBeFewRequests) {
  const std::string content = sample_bytes(kLarge);
  const Location location = put(*store_, content).value();
  const auto reader = store_->open_copy(location, Digest::of(content), Reading::kParts).value();
  EXPECT_EQ(count("get_object"), 0) << "nobody has said yet from where";
  read_in_pieces(*reader, content);
  EXPECT_EQ(count("get_object"), 2) << "4 MiB, then 32 MiB";
}

TEST_F(S3Faults, APartIsAskedForWhereItLies) {
  const std::string content = sample_bytes(kLarge);
  const Location location = put(*store_, content).value();
  const auto reader = store_->open_copy(location, Digest::of(content), Reading::kParts).value();
  std::string piece(100'000, '\0');
  ASSERT_TRUE(reader->read_at(15'000'000, std::as_writable_bytes(std::span(piece))));
  EXPECT_EQ(piece, content.substr(15'000'000, piece.size()));
  EXPECT_EQ(count("get_object"), 1);
  EXPECT_EQ(reader->size(), content.size());
}

TEST_F(S3Faults, WhatDistributionLeftIsReadWhereItLies) {
  const Location ours = put(*store_, "ours").value();
  const Digest digest = Digest::of("theirs");
  const std::string tree = options_.prefix + "docker/registry/v2/blobs/sha256/";
  internal::S3Context context(options_);
  const std::string key =
      tree + std::string(digest.hex().substr(0, 2)) + "/" + std::string(digest.hex()) + "/data";
  ASSERT_TRUE(context.put(key, internal::S3Body::of("theirs")));
  ASSERT_TRUE(context.put(tree + "ff/no-digest/data", internal::S3Body::of("x")));
  const Location theirs{digest.to_string()};
  EXPECT_EQ(store_->stat(theirs).value(), 6U);
  EXPECT_EQ(get(*store_, theirs).value(), "theirs");
  EXPECT_EQ(digest_at(theirs).value(), digest);
  for (const std::size_t count : {1U, 10U}) {
    EXPECT_THAT(list_all(*store_, count), ::testing::ElementsAre(ours.value, theirs.value));
  }
  ASSERT_TRUE(store_->remove(std::vector<Location>{ours, theirs}));
  EXPECT_THAT(list_all(*store_, 10), IsEmpty());
}

TEST_F(S3Faults, MemoryForPartsIsBounded) {
  S3Options options = server().options(sys::random_uuid());
  options.buffer_max = 16U << 20U;
  options.spool = scratch_.path();
  const auto store = open_s3_store(options).value();
  std::vector<std::string> contents;
  std::vector<std::unique_ptr<BlobWriter>> writers;
  for (unsigned i = 0; i < 5; ++i) {
    contents.push_back(sample_bytes(18'000'000, i));
    writers.push_back(store->begin(Algorithm::kSha256, 0).value());
  }
  // In turn, so that all of them hold parts that are not full.
  for (std::size_t at = 0; at < contents[0].size(); at += 3'000'000) {
    for (std::size_t i = 0; i < writers.size(); ++i) {
      ASSERT_TRUE(writers[i]->append(bytes_of(contents[i]).subspan(at, 3'000'000)));
    }
  }
  for (std::size_t i = 0; i < writers.size(); ++i) {
    const Location location = writers[i]->commit(Digest::of(contents[i])).value();
    EXPECT_EQ(get(*store, location).value(), contents[i]);
  }
  EXPECT_TRUE(std::filesystem::is_empty(scratch_.path()));
}

TEST_F(S3Faults, PresignedUrlsWorkForAnybody) {
  const Location location = put(*store_, "content").value();
  ASSERT_NE(store_->presigned_urls(), nullptr);
  const std::string url =
      store_->presigned_urls()->url(location, std::chrono::seconds(60), {"text/x-own", ""}).value();
  EXPECT_EQ(url.find("double-secret"), std::string::npos);
  EXPECT_TRUE(url.starts_with(server().endpoint() + "/bucket/"));
  internal::HttpPool pool;
  internal::HttpRequest request;
  request.url = url;
  const auto answer = internal::fetch(pool, request, 1000).value();
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.body, "content");
  EXPECT_EQ(answer.header("content-type"), "text/x-own");
  request.url.back() = request.url.back() == '0' ? '1' : '0';
  EXPECT_EQ(internal::fetch(pool, request, 1000).value().status, 403);
}

TEST(S3Open, ABucketThatIsNotThereIsAMistakeOfTheConfiguration) {
  const auto server = S3Server::start_double();
  S3Options options = server->options("p");
  options.bucket = "another";
  const auto store = open_s3_store(options);
  ASSERT_FALSE(store);
  EXPECT_EQ(store.error().subject, Subject::kConfiguration);
  EXPECT_NE(store.error().message.find("NoSuchBucket"), std::string::npos);
  options = server->options("p");
  options.environment = [](std::string_view name) {
    return name == "AWS_SECRET_ACCESS_KEY" ? std::optional<std::string>("wrong")
                                           : test_environment(name);
  };
  const auto refused = open_s3_store(options);
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().message.find("SignatureDoesNotMatch"), std::string::npos);
  EXPECT_EQ(refused.error().message.find("wrong"), std::string::npos);
}

}  // namespace
}  // namespace roadstead::storage::testing
