#include "metrics/metrics.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <map>
#include <mutex>
#include <utility>

#include <prometheus/check_names.h>
#include <prometheus/metric_family.h>
#include <prometheus/text_serializer.h>

#include "base/check.h"
#include "base/guarded.h"

namespace roadstead::metrics {
namespace {

using prometheus::ClientMetric;
using prometheus::MetricFamily;
using prometheus::MetricType;

/// What the exposition reads from a measurement.
class Sampled {
 public:
  virtual ~Sampled() = default;
  virtual void sample(ClientMetric& into) const = 0;
};

// The library's own counters and histograms are not used: its histogram takes a lock per value,
// and every request observes several. Only its data model and text format are.

class AtomicCounter final : public Counter, public Sampled {
 public:
  void add(double by) override {
    CHECK(by >= 0);
    value_.fetch_add(by, std::memory_order_relaxed);
  }
  void sample(ClientMetric& into) const override {
    into.counter.value = value_.load(std::memory_order_relaxed);
  }

 private:
  std::atomic<double> value_ = 0;
};

class AtomicGauge final : public Gauge, public Sampled {
 public:
  void set(double value) override { value_.store(value, std::memory_order_relaxed); }
  void add(double by) override { value_.fetch_add(by, std::memory_order_relaxed); }
  void sample(ClientMetric& into) const override {
    into.gauge.value = value_.load(std::memory_order_relaxed);
  }

 private:
  std::atomic<double> value_ = 0;
};

class AtomicHistogram final : public Histogram, public Sampled {
 public:
  explicit AtomicHistogram(const std::vector<double>& bounds)
      : bounds_(bounds), counts_(bounds.size() + 1) {}

  void observe(double value) override {
    if (std::isnan(value)) {
      return;  // It would spoil the sum for ever.
    }
    const auto bound = std::lower_bound(bounds_.begin(), bounds_.end(), value);
    const auto index = static_cast<std::size_t>(bound - bounds_.begin());
    counts_[index].fetch_add(1, std::memory_order_relaxed);
    sum_.fetch_add(value, std::memory_order_relaxed);
  }

  /// The total is the sum of the buckets read here, so the numbers of one exposition agree.
  void sample(ClientMetric& into) const override {
    std::uint64_t total = 0;
    for (std::size_t i = 0; i < counts_.size(); ++i) {
      total += counts_[i].load(std::memory_order_relaxed);
      const double bound = i < bounds_.size() ? bounds_[i] : HUGE_VAL;
      into.histogram.bucket.push_back({total, bound});
    }
    into.histogram.sample_count = total;
    into.histogram.sample_sum = sum_.load(std::memory_order_relaxed);
  }

 private:
  const std::vector<double> bounds_;
  std::vector<std::atomic<std::uint64_t>> counts_;
  std::atomic<double> sum_ = 0;
};

struct Family {
  MetricType type = MetricType::Untyped;
  std::string help;
  std::vector<double> bounds;
  std::map<Labels, std::unique_ptr<Sampled>> measurements;
};

std::vector<ClientMetric::Label> to_labels(const Labels& labels) {
  std::vector<ClientMetric::Label> converted;
  for (const auto& [name, value] : labels) {
    converted.push_back({name, value});
  }
  return converted;
}

}  // namespace

struct Registry::State {
  Guarded<std::map<std::string, Family>> families;
  Guarded<std::vector<std::function<void()>>> refreshers;
  std::mutex scrape;  // One exposition at a time, so refreshers need no locks of their own.

  /// The measurement of this name and labels, made on first use. A name belongs to one type, help
  /// text and list of bounds; anything else is a defect of the caller.
  template <typename Measurement>
  Measurement& find_or_make(const std::string& name, const Family& like, Labels labels,
                            const std::function<std::unique_ptr<Measurement>()>& make) {
    CHECK(prometheus::CheckMetricName(name));
    CHECK(std::all_of(labels.begin(), labels.end(),
                      [](const auto& label) { return prometheus::CheckLabelName(label.first); }));
    std::sort(labels.begin(), labels.end());
    return families.with([&](std::map<std::string, Family>& all) -> Measurement& {
      const auto [family, fresh] = all.try_emplace(name);
      if (fresh) {
        family->second.type = like.type;
        family->second.help = like.help;
        family->second.bounds = like.bounds;
      }
      CHECK(family->second.type == like.type && family->second.bounds == like.bounds);
      std::unique_ptr<Sampled>& slot = family->second.measurements[std::move(labels)];
      if (slot == nullptr) {
        slot = make();
      }
      return static_cast<Measurement&>(*slot);
    });
  }

  [[nodiscard]] std::vector<MetricFamily> collect() const {
    return families.with([](const std::map<std::string, Family>& all) {
      std::vector<MetricFamily> collected;
      for (const auto& [name, family] : all) {
        MetricFamily& into = collected.emplace_back();
        into.name = name;
        into.help = family.help;
        into.type = family.type;
        for (const auto& [labels, measurement] : family.measurements) {
          ClientMetric& metric = into.metric.emplace_back();
          metric.label = to_labels(labels);
          measurement->sample(metric);
        }
      }
      return collected;
    });
  }
};

Registry::Registry() : state_(std::make_unique<State>()) {}
Registry::~Registry() = default;

Counter& Registry::counter(const std::string& name, const std::string& help, const Labels& labels) {
  return state_->find_or_make<AtomicCounter>(name, {MetricType::Counter, help, {}, {}}, labels,
                                             [] { return std::make_unique<AtomicCounter>(); });
}

Gauge& Registry::gauge(const std::string& name, const std::string& help, const Labels& labels) {
  return state_->find_or_make<AtomicGauge>(name, {MetricType::Gauge, help, {}, {}}, labels,
                                           [] { return std::make_unique<AtomicGauge>(); });
}

Histogram& Registry::histogram(const std::string& name, const std::string& help,
                               const std::vector<double>& bounds, const Labels& labels) {
  CHECK(std::adjacent_find(bounds.begin(), bounds.end(), std::greater_equal<>()) == bounds.end());
  CHECK(
      std::all_of(bounds.begin(), bounds.end(), [](double bound) { return std::isfinite(bound); }));
  return state_->find_or_make<AtomicHistogram>(
      name, {MetricType::Histogram, help, bounds, {}}, labels,
      [&] { return std::make_unique<AtomicHistogram>(bounds); });
}

void Registry::before_scrape(std::function<void()> refresh) {
  CHECK(refresh != nullptr);
  state_->refreshers.with([&](auto& refreshers) { refreshers.push_back(std::move(refresh)); });
}

std::string Registry::expose() {
  const std::lock_guard lock(state_->scrape);
  // A copy, because a refresher may ask for handles and register others.
  const auto refreshers = state_->refreshers.with([](auto& all) { return all; });
  for (const std::function<void()>& refresh : refreshers) {
    refresh();
  }
  return prometheus::TextSerializer().Serialize(state_->collect());
}

}  // namespace roadstead::metrics
