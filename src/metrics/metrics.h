#pragma once

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace roadstead::metrics {

/// Handles stay valid as long as the Registry. All methods are thread-safe and cheap (no
/// allocation).
class Counter {
 public:
  virtual ~Counter() = default;
  virtual void add(double by = 1) = 0;
};
class Gauge {
 public:
  virtual ~Gauge() = default;
  virtual void set(double value) = 0;
  virtual void add(double by) = 0;
};
class Histogram {
 public:
  virtual ~Histogram() = default;
  virtual void observe(double value) = 0;
};

using Labels = std::vector<std::pair<std::string, std::string>>;

/// Named measurements in the Prometheus text format. Asking for the same name and labels again
/// gives the same handle; look handles up once, not per event. Label values must come from a
/// bounded set, never from input.
class Registry {
 public:
  Registry();
  ~Registry();
  Registry(const Registry&) = delete;
  Registry& operator=(const Registry&) = delete;

  Counter& counter(const std::string& name, const std::string& help, const Labels& labels = {});
  Gauge& gauge(const std::string& name, const std::string& help, const Labels& labels = {});
  Histogram& histogram(const std::string& name, const std::string& help,
                       const std::vector<double>& bounds, const Labels& labels = {});
  /// Runs before each exposition, to set gauges that are read and not counted.
  void before_scrape(std::function<void()> refresh);
  /// Text exposition format 0.0.4.
  [[nodiscard]] std::string expose();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace roadstead::metrics
