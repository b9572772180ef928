// How observations are distributed over fixed bounds, without locks: one writer thread, scraped by any. The series
// lives as long as the object.
#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "core/metrics.h"

namespace millrace {

class Histogram {
 public:
  /// `bounds` ascending; a last bucket without a bound is added.
  Histogram(MetricRegistry& registry, std::string name, std::string help, Labels labels, std::vector<double> bounds);
  Histogram(const Histogram&) = delete;
  Histogram& operator=(const Histogram&) = delete;

  /// `count` observations of one value.
  void observe(double value, double count = 1);

 private:
  void collect(std::vector<MetricSample>& samples) const;

  const std::string name_;
  const std::string help_;
  const Labels labels_;
  const std::vector<double> bounds_;
  std::vector<std::atomic<double>> counts_;  // one more than bounds, not cumulative
  std::atomic<double> sum_{0};
  std::shared_ptr<void> registration_;  // last: ends first
};
using HistogramPtr = std::shared_ptr<Histogram>;

}  // namespace millrace
