#include "core/histogram.h"

#include <algorithm>
#include <limits>

namespace millrace {

namespace {

void add_relaxed(std::atomic<double>& to, double by) {
  to.store(to.load(std::memory_order_relaxed) + by, std::memory_order_relaxed);
}

}  // namespace

Histogram::Histogram(MetricRegistry& registry, std::string name, std::string help, Labels labels,
                     std::vector<double> bounds)
    : name_(std::move(name)),
      help_(std::move(help)),
      labels_(std::move(labels)),
      bounds_(std::move(bounds)),
      counts_(bounds_.size() + 1),
      registration_(registry.callback([this](std::vector<MetricSample>& samples) { collect(samples); })) {}

void Histogram::observe(double value, double count) {
  const auto bucket = std::lower_bound(bounds_.begin(), bounds_.end(), value) - bounds_.begin();
  add_relaxed(counts_[static_cast<size_t>(bucket)], count);
  add_relaxed(sum_, value * count);
}

void Histogram::collect(std::vector<MetricSample>& samples) const {
  MetricSample sample{name_, help_, MetricKind::kHistogram, labels_, sum_.load(std::memory_order_relaxed), {}};
  double below = 0;
  for (size_t i = 0; i < counts_.size(); ++i) {
    below += counts_[i].load(std::memory_order_relaxed);
    sample.buckets.emplace_back(i < bounds_.size() ? bounds_[i] : std::numeric_limits<double>::infinity(), below);
  }
  samples.push_back(std::move(sample));
}

}  // namespace millrace
