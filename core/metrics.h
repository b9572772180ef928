// Counters and gauges without locks: each series has one writer thread that stores plain numbers; a scrape reads them
// relaxed. A series lives as long as its handle. The text form is written by http/metrics_page (through
// prometheus-cpp).
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace millrace {

enum class MetricKind : uint8_t { kCounter, kGauge, kHistogram };
using Labels = std::vector<std::pair<std::string, std::string>>;

/// One number of one series. add() and set() by one thread at a time; value() by any.
class Metric {
 public:
  void add(double by) { value_.store(value_.load(std::memory_order_relaxed) + by, std::memory_order_relaxed); }
  void set(double value) { value_.store(value, std::memory_order_relaxed); }
  [[nodiscard]] double value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<double> value_{0};
};
using MetricPtr = std::shared_ptr<Metric>;

/// "" when there is no such label.
const std::string& label_of(const Labels& labels, std::string_view name);

struct MetricSample {
  std::string name;
  std::string help;
  MetricKind kind = MetricKind::kCounter;
  Labels labels;
  double value = 0;                                  // kHistogram: the sum of all observations
  std::vector<std::pair<double, double>> buckets{};  // kHistogram: upper bound, observations up to it
};

class MetricRegistry {
 public:
  MetricRegistry();
  ~MetricRegistry();
  /// A new or the existing series of this name and labels. Help and kind of the first call count.
  MetricPtr metric(MetricKind kind, const std::string& name, const std::string& help, Labels labels);
  /// Numbers computed at scrape time; the callback must be thread-safe and outlive the registration, which ends when
  /// the returned handle dies (which waits for a running collect(); so drop no handle inside a callback).
  std::shared_ptr<void> callback(std::function<void(std::vector<MetricSample>&)> collect);
  /// All series, grouped by name.
  [[nodiscard]] std::vector<MetricSample> collect() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace millrace
