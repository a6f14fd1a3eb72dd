#pragma once

#include <memory>
#include <string>
#include <vector>

#include "session.h"

namespace roadstead::bench {

struct FetchOptions {
  std::string host;
  std::vector<std::string> paths;  // Operation i asks for paths[i % size].
  std::string method = "GET";
  std::string fields;  // Header fields, each with its line end: Authorization, Accept, Range.
  int status = 200;
  int64_t length = -1;  // Of the body; -1 = whatever the first answer had.
  std::string digest;   // "sha256:…" the first body of each connection must have.
  bool every_digest = false;
  bool varies = false;  // Every answer has another body: only its status and length count.
};

/// The same request again and again. The first body of each connection is hashed; later ones are
/// compared with it byte by byte when small, by length when large.
class FetchWorkload final : public Workload {
 public:
  explicit FetchWorkload(FetchOptions options);
  std::unique_ptr<Session> session(int connection) override;

 private:
  FetchOptions options_;
  std::vector<std::string> heads_;
};

}  // namespace roadstead::bench
