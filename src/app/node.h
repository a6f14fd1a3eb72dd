#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "app/settings.h"
#include "base/log.h"
#include "base/result.h"

namespace roadstead::app {

/// One running registry: everything that serve() wires together, in the order in which it depends
/// on each other. The only place that names concrete classes of all layers.
class Node {
 public:
  /// Opens or creates the data directory, brings the schema up to date, creates administrator and
  /// keys on the first start, and listens.
  static Result<std::unique_ptr<Node>> start(const Settings& settings, log::Sink& sink,
                                             const std::function<void(std::string_view)>& print);
  ~Node();
  Node(const Node&) = delete;
  Node& operator=(const Node&) = delete;

  /// "http://127.0.0.1:8080", one per listener, with the ports the kernel chose.
  [[nodiscard]] const std::vector<std::string>& urls() const;
  /// Reads the certificate again when its files changed since the last call, or `always`.
  void refresh_certificate(bool always);
  /// Small work that nobody waits for: expired uploads, the quota ledger. Called about once a
  /// second.
  void tend();
  /// Says that it is not ready any more, stops accepting and lets running requests finish; true
  /// when all did within `limit`.
  bool drain(std::chrono::milliseconds limit);

 private:
  struct Parts;
  explicit Node(std::unique_ptr<Parts> parts);
  std::unique_ptr<Parts> parts_;
};

}  // namespace roadstead::app
