#pragma once

#include <deque>
#include <future>
#include <memory>
#include <string>
#include <vector>

#include "crypto/hasher.h"
#include "model/digest.h"
#include "storage/blob_store.h"
#include "storage/internal/s3_context.h"
#include "storage/internal/s3_token.h"

namespace roadstead::storage::internal {

/// Sends an upload to its final key while it arrives: in parts, some of them at once, or as one
/// object at the commit when it is less than a part.
class S3Writer final : public BlobWriter {
 public:
  S3Writer(S3Context& context, model::Algorithm algorithm);
  /// Errors: kNotFound + kUpload when what the checkpoint covers is not there any more.
  static Result<std::unique_ptr<BlobWriter>> resume(S3Context& context, S3Token token);
  ~S3Writer() override;

  Result<void> append(std::span<const std::byte> bytes) override;
  [[nodiscard]] std::uint64_t offset() const override { return token_.hasher->length(); }
  Result<std::string> checkpoint() override;
  Result<Location> commit(const model::Digest& expected) override;
  void replace_existing() override {}  // Nothing lies under a key of its own.
  Result<void> discard() override;

 private:
  struct Part {
    std::string etag;  ///< Without quotes.
    std::uint64_t size = 0;
  };
  struct Flight {
    std::shared_ptr<PartBuffer> buffer;  // Owned by the writer and by the thread that sends it.
    std::future<Result<std::string>> etag;
  };
  enum class Mode { kOpen, kFailed, kSpent };

  S3Writer(S3Context& context, S3Token token);
  [[nodiscard]] Result<void> require_open() const;
  Result<void> store(std::span<const std::byte> bytes);
  Result<void> send_part();
  Result<void> begin_multipart();
  Result<void> land_one();
  Result<void> land_all();
  Result<void> load_parts();
  Result<void> load_tail();
  Result<void> save_tail();
  Result<std::string> save();
  Result<Location> publish(const model::Digest& expected);
  Result<void> publish_whole(const model::Digest& expected);
  Result<void> complete();
  Result<bool> hashes_to(const model::Digest& expected);
  [[nodiscard]] std::string proof() const;
  void new_buffer();
  void clean_up();

  S3Context& context_;
  S3Token token_;
  const std::string key_;
  std::vector<Part> parts_;
  std::deque<Flight> in_flight_;
  std::shared_ptr<PartBuffer> buffer_;
  std::string resumed_tail_;
  bool has_tails_ = false;
  bool checkpointed_ = false;
  Mode mode_ = Mode::kOpen;
};

/// Reads the whole object and hashes it.
Result<std::string> hash_object(S3Context& context, const std::string& key,
                                model::Algorithm algorithm);

}  // namespace roadstead::storage::internal
