#include "storage/internal/s3_writer.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "base/text.h"
#include "storage/internal/s3_reader.h"
#include "storage/internal/upload_token.h"
#include "sys/process.h"

namespace roadstead::storage::internal {
namespace {

constexpr std::size_t kPiece = std::size_t{256} << 10U;

std::string without_quotes(std::string_view etag) {
  if (etag.size() >= 2 && etag.front() == '"' && etag.back() == '"') {
    etag = etag.substr(1, etag.size() - 2);
  }
  return std::string(etag);
}

S3Body body_of(std::shared_ptr<const PartBuffer> buffer) {
  S3Body body;
  body.size = buffer->size();
  body.read = [buffer = std::move(buffer)](std::uint64_t offset, std::span<std::byte> into) {
    return buffer->read_at(offset, into);
  };
  return body;
}

std::string hash_of(const PartBuffer& buffer, model::Algorithm algorithm) {
  crypto::Hasher hasher(algorithm);
  std::vector<std::byte> piece(kPiece);
  while (hasher.length() < buffer.size()) {
    const auto n = buffer.read_at(hasher.length(), piece);
    if (!n || *n == 0) {
      return {};
    }
    hasher.update(std::span(piece).first(*n));
  }
  return hasher.hex_digest();
}

Error other_digest(const model::Digest& expected) {
  return Error{Code::kDigestMismatch, Subject::kDigest,
               "content does not have the digest it was announced under", expected.to_string()};
}

}  // namespace

Result<std::string> hash_object(S3Context& context, const std::string& key,
                                model::Algorithm algorithm) {
  const auto reader = TRY(S3Reader::open(context.client, key, Reading::kWhole));
  crypto::Hasher hasher(algorithm);
  std::vector<std::byte> piece(kPiece);
  while (hasher.length() < reader->size()) {
    const std::size_t n = TRY(reader->read_at(hasher.length(), piece));
    hasher.update(std::span(piece).first(n));
  }
  return hasher.hex_digest();
}

S3Writer::S3Writer(S3Context& context, S3Token token)
    : context_(context), token_(std::move(token)), key_(context.blob_key(token_.uuid)) {
  new_buffer();
}

S3Writer::S3Writer(S3Context& context, model::Algorithm algorithm)
    : S3Writer(context, S3Token{sys::random_uuid(), {}, 0, {}, {}, {}, crypto::Hasher(algorithm)}) {
}

S3Writer::~S3Writer() {
  for (const Flight& flight : in_flight_) {
    flight.etag.wait();  // It reads from us.
  }
  if (mode_ != Mode::kSpent && !checkpointed_ && !token_.upload_id.empty()) {
    static_cast<void>(context_.abort_upload(key_, token_.upload_id));
  }
}

void S3Writer::new_buffer() {
  buffer_ = std::make_shared<PartBuffer>(context_.budget, context_.client.options().spool);
}

Result<void> S3Writer::require_open() const {
  return mode_ == Mode::kOpen ? Result<void>() : upload_unknown(token_.uuid);
}

Result<void> S3Writer::append(std::span<const std::byte> bytes) {
  TRY(require_open());
  if (offset() + bytes.size() > kObjectSizeMax) {
    return Error{
        Code::kTooLarge, Subject::kStorage, "the blob is larger than an object may be", {}};
  }
  token_.hasher->update(bytes);
  const Result<void> stored = store(bytes);
  if (!stored) {
    mode_ = Mode::kFailed;
  }
  return stored;
}

Result<void> S3Writer::store(std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const std::uint64_t size = context_.schedule.size(parts_.size() + in_flight_.size() + 1);
    if (buffer_->size() >= size) {
      // Not before there is more: what is one part only is no multipart upload.
      TRY(send_part());
      continue;
    }
    const std::size_t n = std::min<std::uint64_t>(bytes.size(), size - buffer_->size());
    TRY(buffer_->append(bytes.first(n)));
    bytes = bytes.subspan(n);
  }
  return {};
}

Result<void> S3Writer::begin_multipart() {
  if (!token_.upload_id.empty()) {
    return {};
  }
  const HttpAnswer answer = TRY(context_.client.demand(
      {S3Operation::kMultipart, "POST", key_, {{"uploads", ""}}, context_.object_headers()}));
  token_.upload_id = TRY(parse_upload_id(answer.body));
  return {};
}

/// Hands the buffer to a thread of the pool and goes on with an empty one.
Result<void> S3Writer::send_part() {
  TRY(begin_multipart());
  while (in_flight_.size() >= context_.client.options().parts_in_flight) {
    TRY(land_one());
  }
  const std::uint64_t number = parts_.size() + in_flight_.size() + 1;
  if (number > kPartsMax) {
    return Error{Code::kTooLarge, Subject::kStorage, "the blob has too many parts", {}};
  }
  auto promise = std::make_shared<std::promise<Result<std::string>>>();
  in_flight_.push_back({buffer_, promise->get_future()});
  S3Call call{S3Operation::kPart, "PUT", key_};
  call.query = {{"partNumber", std::to_string(number)}, {"uploadId", token_.upload_id}};
  call.body = body_of(buffer_);
  S3Client& client = context_.client;
  context_.pool.submit_continuation([&client, promise, call = std::move(call)] {
    const auto answer = client.demand(call);
    if (!answer) {
      promise->set_value(answer.error());
    } else if (answer->header("etag").empty()) {
      promise->set_value(Error{Code::kUnavailable,
                               Subject::kStorage,
                               "the object store took a part without an ETag",
                               {}});
    } else {
      promise->set_value(without_quotes(answer->header("etag")));
    }
  });
  new_buffer();
  return {};
}

Result<void> S3Writer::land_one() {
  Flight flight = std::move(in_flight_.front());
  in_flight_.pop_front();
  auto etag = flight.etag.get();
  if (!etag) {
    mode_ = Mode::kFailed;
    if (etag.error().code == Code::kNotFound) {
      return upload_unknown(token_.uuid);  // Somebody ended it.
    }
    return etag.error();
  }
  parts_.push_back({std::move(*etag), flight.buffer->size()});
  return {};
}

Result<void> S3Writer::land_all() {
  while (!in_flight_.empty()) {
    TRY(land_one());
  }
  return {};
}

std::string S3Writer::proof() const {
  if (parts_.empty()) {
    return {};
  }
  std::string all;
  for (const Part& part : parts_) {
    all += part.etag + "\n";
  }
  return crypto::hex_digest(crypto::HashAlgorithm::kSha256, all);
}

Result<void> S3Writer::save_tail() {
  if (buffer_->size() == 0) {
    token_.tail.clear();
    return {};
  }
  std::array<std::byte, 16> name{};
  sys::random_bytes(name);
  token_.tail = to_hex(name);
  has_tails_ = true;
  return context_.put(context_.tail_key(token_.uuid, token_.tail), body_of(buffer_));
}

Result<std::string> S3Writer::save() {
  const auto early = context_.schedule.early_size(parts_.size() + in_flight_.size() + 1);
  if (early && buffer_->size() >= *early) {
    TRY(send_part());
  }
  TRY(land_all());
  TRY(save_tail());
  token_.parts = parts_.size();
  token_.proof = proof();
  token_.old_tail = resumed_tail_;
  S3Token kept = token_;
  if (kept.parts == 0) {
    kept.upload_id.clear();
  }
  return kept.to_string();
}

Result<std::string> S3Writer::checkpoint() {
  TRY(require_open());
  auto saved = save();
  if (!saved) {
    mode_ = Mode::kFailed;
    return saved;
  }
  checkpointed_ = true;
  return saved;
}

Result<std::unique_ptr<BlobWriter>> S3Writer::resume(S3Context& context, S3Token token) {
  if (!token.hasher) {
    return upload_unknown(token.uuid);
  }
  std::unique_ptr<S3Writer> writer(new S3Writer(context, std::move(token)));
  writer->checkpointed_ = true;
  TRY(writer->load_parts());
  TRY(writer->load_tail());
  const S3Token& from = writer->token_;
  writer->resumed_tail_ = from.tail;
  writer->has_tails_ = !from.tail.empty() || !from.old_tail.empty();
  if (!from.old_tail.empty()) {
    // Nobody can go on from there any more, as somebody kept the token that we come from.
    std::vector<std::string> keys{context.tail_key(from.uuid, from.old_tail)};
    context.pool.submit_continuation(
        [&context, keys = std::move(keys)] { static_cast<void>(context.remove(keys)); });
  }
  return std::unique_ptr<BlobWriter>(std::move(writer));
}

Result<void> S3Writer::load_parts() {
  std::string marker = "0";
  while (parts_.size() < token_.parts) {
    S3Call call{S3Operation::kMultipart, "GET", key_};
    call.query = {{"uploadId", token_.upload_id}};
    if (marker != "0") {
      call.query.emplace_back("part-number-marker", marker);
    }
    const HttpAnswer answer = TRY(context_.client.call(call));
    if (answer.status == 404) {
      return upload_unknown(token_.uuid);
    }
    if (answer.status != 200) {
      return refused(answer);
    }
    const PartPage page = TRY(parse_parts(answer.body));
    for (const ListedPart& part : page.parts) {
      if (parts_.size() < token_.parts && part.number == parts_.size() + 1) {
        parts_.push_back({without_quotes(part.etag), part.size});
      }
    }
    if (page.next.empty() || page.next == marker) {
      break;
    }
    marker = page.next;
  }
  if (parts_.size() != token_.parts || proof() != token_.proof) {
    return upload_unknown(token_.uuid);
  }
  return {};
}

Result<void> S3Writer::load_tail() {
  std::uint64_t left = offset();
  for (const Part& part : parts_) {
    if (part.size > left) {
      return upload_unknown(token_.uuid);
    }
    left -= part.size;
  }
  if ((left == 0) != token_.tail.empty()) {
    return upload_unknown(token_.uuid);
  }
  if (left == 0) {
    return {};
  }
  const auto reader =
      S3Reader::open(context_.client, context_.tail_key(token_.uuid, token_.tail), Reading::kWhole);
  if (!reader) {
    return reader.error().code == Code::kNotFound ? upload_unknown(token_.uuid) : reader.error();
  }
  if ((*reader)->size() != left) {
    return upload_unknown(token_.uuid);
  }
  std::vector<std::byte> piece(std::min<std::uint64_t>(left, kPiece));
  while (buffer_->size() < left) {
    const std::size_t n = TRY((*reader)->read_at(buffer_->size(), piece));
    TRY(buffer_->append(std::span(piece).first(n)));
  }
  return {};
}

Result<Location> S3Writer::commit(const model::Digest& expected) {
  TRY(require_open());
  const bool same = expected.algorithm() == token_.hasher->algorithm();
  if (same && token_.hasher->hex_digest() != expected.hex()) {
    return other_digest(expected);
  }
  if (!same && parts_.empty() && in_flight_.empty() &&
      hash_of(*buffer_, expected.algorithm()) != expected.hex()) {
    return other_digest(expected);
  }
  auto published = publish(expected);
  if (!published) {
    mode_ = mode_ == Mode::kOpen ? Mode::kFailed : mode_;
    return published;
  }
  mode_ = Mode::kSpent;
  clean_up();
  return published;
}

Result<Location> S3Writer::publish(const model::Digest& expected) {
  if (parts_.empty() && in_flight_.empty()) {
    TRY(publish_whole(expected));
  } else {
    if (buffer_->size() > 0) {
      TRY(send_part());
    }
    TRY(land_all());
    TRY(complete());
    if (!TRY(hashes_to(expected))) {
      // Its parts are gone with the upload.
      mode_ = Mode::kSpent;
      clean_up();
      TRY(context_.remove({key_}));
      return other_digest(expected);
    }
  }
  return Location{fmt::format("{}{}", kS3Blobs, token_.uuid)};
}

Result<void> S3Writer::publish_whole(const model::Digest& expected) {
  S3Body body = body_of(buffer_);
  if (token_.hasher->algorithm() == model::Algorithm::kSha256) {
    body.sha256 = token_.hasher->hex_digest();
  } else if (expected.algorithm() == model::Algorithm::kSha256) {
    body.sha256 = expected.hex();
  }
  return context_.put(key_, std::move(body));
}

/// Only another algorithm than the writer's needs the bytes again.
Result<bool> S3Writer::hashes_to(const model::Digest& expected) {
  if (expected.algorithm() == token_.hasher->algorithm()) {
    return true;
  }
  return TRY(hash_object(context_, key_, expected.algorithm())) == expected.hex();
}

Result<void> S3Writer::complete() {
  std::vector<std::string> etags;
  for (const Part& part : parts_) {
    etags.push_back('"' + part.etag + '"');
  }
  S3Call call{S3Operation::kMultipart, "POST", key_, {{"uploadId", token_.upload_id}}};
  const std::string xml = write_completion(etags);
  call.body = S3Body::of(xml);
  call.body.sha256 = crypto::hex_digest(crypto::HashAlgorithm::kSha256, xml);
  call.headers = {{"content-type", "application/xml"}};
  call.patient = true;
  const HttpAnswer answer = TRY(context_.client.call(call));
  if (answer.status == 200) {
    return {};
  }
  if (answer.status != 404) {
    return refused(answer);
  }
  // An earlier attempt may have done it whose answer was lost.
  const HttpAnswer found = TRY(context_.client.call({S3Operation::kHead, "HEAD", key_}));
  if (found.status == 200 && parse_uint64(found.header("content-length")) == offset()) {
    return {};
  }
  return upload_unknown(token_.uuid);
}

/// After the end of the upload: what fails here is found among the stale uploads.
void S3Writer::clean_up() {
  if (has_tails_) {
    static_cast<void>(context_.remove_tails(token_.uuid));
  }
}

Result<void> S3Writer::discard() {
  for (const Flight& flight : in_flight_) {
    flight.etag.wait();
  }
  in_flight_.clear();
  if (mode_ == Mode::kSpent) {
    return {};
  }
  mode_ = Mode::kSpent;
  if (!token_.upload_id.empty()) {
    TRY(context_.abort_upload(key_, token_.upload_id));
  }
  return has_tails_ ? context_.remove_tails(token_.uuid) : Result<void>();
}

}  // namespace roadstead::storage::internal
