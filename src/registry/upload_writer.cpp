#include "registry/internal/upload_writer.h"

#include "base/text.h"
#include "registry/blob_content.h"

namespace roadstead::registry::internal {

Result<std::unique_ptr<UploadWriter>> UploadWriter::open(storage::BlobStore& store,
                                                         const UploadRow& row,
                                                         std::uint64_t length) {
  const auto algorithm = algorithm_of_new(row.token);
  std::unique_ptr<UploadWriter> writer(
      new UploadWriter(store, algorithm.value_or(model::Algorithm::kSha256)));
  if (!algorithm) {
    // Also when it is small: it was begun when small uploads were staged, or announced more.
    writer->staged_ = TRY(store.resume(row.token));
    return writer;
  }
  if (row.content.size() != row.offset) {
    return upload_unknown(row.id);
  }
  writer->bytes_ = row.content;
  if (row.offset + length > kInlineMax) {
    TRY(writer->stage(row.offset + length));
  }
  return writer;
}

/// Too much for a row.
Result<void> UploadWriter::stage(std::uint64_t size_hint) {
  auto staged = TRY(store_.begin(algorithm_, size_hint));
  if (!bytes_.empty()) {
    TRY(staged->append(bytes_of(bytes_)));
  }
  staged_ = std::move(staged);
  bytes_.clear();
  return {};
}

Result<void> UploadWriter::append(std::span<const std::byte> bytes) {
  if (in_memory() && bytes_.size() + bytes.size() > kInlineMax) {
    TRY(stage(0));
  }
  if (in_memory()) {
    bytes_.append(text_of(bytes));
    return {};
  }
  return staged_->append(bytes);
}

std::uint64_t UploadWriter::offset() const {
  return in_memory() ? bytes_.size() : staged_->offset();
}

Result<void> UploadWriter::checkpoint(UploadRow& row) {
  row.offset = offset();
  row.token = in_memory() ? new_upload_token(algorithm_) : TRY(staged_->checkpoint());
  row.content = bytes_;
  return {};
}

Result<Content> UploadWriter::commit(const model::Digest& expected) {
  const std::uint64_t size = offset();
  if (!in_memory()) {
    return Content{size, TRY(staged_->commit(expected)), {}, store_.traits().own_locations};
  }
  const auto actual = model::Digest::of(bytes_, expected.algorithm());
  if (actual != expected) {
    return Error{Code::kDigestMismatch, Subject::kDigest,
                 "content does not have the digest it was announced under", actual.to_string()};
  }
  return Content{size, storage::Location{std::string(kInlineLocation)}, bytes_, false};
}

void UploadWriter::replace_existing() {
  if (!in_memory()) {
    staged_->replace_existing();
  }
}

Result<void> UploadWriter::discard() {
  return in_memory() ? Result<void>() : staged_->discard();
}

}  // namespace roadstead::registry::internal
