#pragma once

#include <memory>
#include <string>

#include "content.h"
#include "session.h"

namespace roadstead::bench {

/// kPost: one POST with the body. kMono: POST, PUT with the body. kPatch: POST, one PATCH, PUT.
/// kChunk: POST, PATCHes of chunk_size with Content-Range, PUT.
enum class PushMode { kPost, kMono, kPatch, kChunk };

struct PushOptions {
  std::string host;
  std::string repository;
  std::string fields;  // Header fields, each with its line end.
  std::string salt;    // Makes the contents of this run its own.
  PushMode mode = PushMode::kMono;
  uint64_t size = uint64_t{1} << 20;
  uint64_t chunk_size = uint64_t{5} << 20;
};

/// Uploads of unique content. An operation is one blob, from POST to 201.
class PushWorkload final : public Workload {
 public:
  static constexpr size_t kTailSize = 64;

  explicit PushWorkload(PushOptions options);
  std::unique_ptr<Session> session(int connection) override;
  /// The bytes that make blob `operation` unique, and its digest.
  [[nodiscard]] std::string tail_of(uint64_t operation) const;
  [[nodiscard]] std::string digest_of(uint64_t operation) const;
  [[nodiscard]] const PushOptions& options() const { return options_; }
  [[nodiscard]] const SharedBlock& block() const { return block_; }

 private:
  PushOptions options_;
  SharedBlock block_;
};

struct TagsOptions {
  std::string host;
  std::string repository;
  std::string fields;
  std::string manifest;
  std::string media_type = "application/vnd.oci.image.manifest.v1+json";
};

/// Operation i puts the same manifest under tag t<i, seven digits>.
class TagsWorkload final : public Workload {
 public:
  explicit TagsWorkload(TagsOptions options) : options_(std::move(options)) {}
  std::unique_ptr<Session> session(int connection) override;

 private:
  TagsOptions options_;
};

}  // namespace roadstead::bench
