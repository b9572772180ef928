#include "core/metrics.h"

#include <algorithm>
#include <map>
#include <mutex>

namespace millrace {

struct MetricRegistry::Impl {
  struct Series {
    MetricKind kind;
    std::string help;
    std::weak_ptr<Metric> metric;
  };
  using Callback = std::function<void(std::vector<MetricSample>&)>;

  std::mutex mutex;
  std::map<std::pair<std::string, Labels>, Series> series;
  std::vector<std::shared_ptr<Callback>> callbacks;
};

MetricRegistry::MetricRegistry() : impl_(std::make_unique<Impl>()) {}
MetricRegistry::~MetricRegistry() = default;

MetricPtr MetricRegistry::metric(MetricKind kind, const std::string& name, const std::string& help, Labels labels) {
  const std::lock_guard lock(impl_->mutex);
  Impl::Series& series = impl_->series[{name, std::move(labels)}];
  if (MetricPtr existing = series.metric.lock()) return existing;
  auto metric = std::make_shared<Metric>();
  series = {kind, help, metric};
  return metric;
}

std::shared_ptr<void> MetricRegistry::callback(std::function<void(std::vector<MetricSample>&)> collect) {
  auto entry = std::make_shared<Impl::Callback>(std::move(collect));
  const std::lock_guard lock(impl_->mutex);
  impl_->callbacks.push_back(entry);
  Impl* impl = impl_.get();
  return std::shared_ptr<void>(entry.get(), [impl, entry](void*) {
    const std::lock_guard guard(impl->mutex);
    std::erase(impl->callbacks, entry);
  });
}

std::vector<MetricSample> MetricRegistry::collect() const {
  std::vector<MetricSample> samples;
  const std::lock_guard lock(impl_->mutex);
  std::erase_if(impl_->series, [](const auto& entry) { return entry.second.metric.expired(); });
  for (const auto& [key, series] : impl_->series) {
    if (const MetricPtr metric = series.metric.lock()) {
      samples.push_back({key.first, series.help, series.kind, key.second, metric->value()});
    }
  }
  for (const auto& callback : impl_->callbacks) (*callback)(samples);
  std::stable_sort(samples.begin(), samples.end(),
                   [](const MetricSample& a, const MetricSample& b) { return a.name < b.name; });
  return samples;
}

}  // namespace millrace
