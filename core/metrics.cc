#include "core/metrics.h"

#include <algorithm>
#include <map>
#include <mutex>

namespace millrace {
namespace {

using Collect = std::function<void(std::vector<MetricSample>&)>;

/// Shared with the handles, which may outlive the registry.
struct Callbacks {
  std::mutex mutex;
  uint64_t next_id = 0;
  std::map<uint64_t, Collect> by_id;
};

struct Family {
  std::string help;
  MetricKind kind = MetricKind::kCounter;
  std::map<Labels, std::weak_ptr<Metric>> series;
};

}  // namespace

const std::string& label_of(const Labels& labels, std::string_view name) {
  static const std::string kNone;
  for (const auto& [key, value] : labels) {
    if (key == name) return value;
  }
  return kNone;
}

struct MetricRegistry::Impl {
  std::mutex mutex;
  std::map<std::string, Family> families;
  std::shared_ptr<Callbacks> callbacks = std::make_shared<Callbacks>();
};

MetricRegistry::MetricRegistry() : impl_(std::make_unique<Impl>()) {}
MetricRegistry::~MetricRegistry() = default;

MetricPtr MetricRegistry::metric(MetricKind kind, const std::string& name, const std::string& help, Labels labels) {
  const std::lock_guard lock(impl_->mutex);
  auto [family, is_new] = impl_->families.try_emplace(name);
  if (is_new) {
    family->second.help = help;
    family->second.kind = kind;
  }
  std::weak_ptr<Metric>& series = family->second.series[std::move(labels)];
  MetricPtr metric = series.lock();
  if (!metric) {
    metric = std::make_shared<Metric>();
    series = metric;
  }
  return metric;
}

std::shared_ptr<void> MetricRegistry::callback(std::function<void(std::vector<MetricSample>&)> collect) {
  std::shared_ptr<Callbacks> callbacks = impl_->callbacks;
  const std::lock_guard lock(callbacks->mutex);
  const uint64_t id = callbacks->next_id++;
  callbacks->by_id.emplace(id, std::move(collect));
  // The deleter waits for a running collect(): after it nobody is inside the callback.
  return {nullptr, [callbacks, id](void*) {
            const std::lock_guard guard(callbacks->mutex);
            callbacks->by_id.erase(id);
          }};
}

std::vector<MetricSample> MetricRegistry::collect() const {
  std::vector<MetricSample> samples;
  {
    const std::lock_guard lock(impl_->mutex);
    for (auto family = impl_->families.begin(); family != impl_->families.end();) {
      auto& series = family->second.series;
      std::erase_if(series, [](const auto& one) { return one.second.expired(); });
      for (const auto& [labels, weak] : series) {
        if (const MetricPtr metric = weak.lock()) {
          samples.push_back({family->first, family->second.help, family->second.kind, labels, metric->value()});
        }
      }
      family = series.empty() ? impl_->families.erase(family) : std::next(family);
    }
  }
  {
    const std::lock_guard lock(impl_->callbacks->mutex);
    for (const auto& [id, collect] : impl_->callbacks->by_id) collect(samples);
  }
  std::stable_sort(samples.begin(), samples.end(),
                   [](const MetricSample& a, const MetricSample& b) { return a.name < b.name; });
  return samples;
}

}  // namespace millrace
