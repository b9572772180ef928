#include "core/metrics.h"

#include <catch2/catch.hpp>

#include "core/histogram.h"

using namespace millrace;

TEST_CASE("the same name and labels are one series, which ends with its last handle") {
  MetricRegistry registry;
  {
    MetricPtr a = registry.metric(MetricKind::kCounter, "rows_total", "Rows.", {{"step", "a"}});
    MetricPtr same = registry.metric(MetricKind::kGauge, "rows_total", "other", {{"step", "a"}});
    MetricPtr b = registry.metric(MetricKind::kCounter, "rows_total", "", {{"step", "b"}});
    a->add(2);
    same->add(3);
    b->set(9);
    const auto samples = registry.collect();
    REQUIRE(samples.size() == 2);
    CHECK(samples[0].value == 5);
    CHECK(samples[0].help == "Rows.");
    CHECK(samples[0].kind == MetricKind::kCounter);
    CHECK(samples[1].labels == Labels{{"step", "b"}});
  }
  CHECK(registry.collect().empty());
}

TEST_CASE("callbacks are asked at every scrape until their handle dies") {
  auto registry = std::make_unique<MetricRegistry>();
  MetricPtr z = registry->metric(MetricKind::kGauge, "z", "", {});
  int calls = 0;
  auto handle = registry->callback([&](std::vector<MetricSample>& out) {
    ++calls;
    out.push_back({"a", "computed", MetricKind::kGauge, {}, 1.0 * calls});
  });
  CHECK(registry->collect().front().name == "a");
  CHECK(registry->collect().front().value == 2);
  handle.reset();
  CHECK(registry->collect().size() == 1);
  CHECK(calls == 2);
  auto survivor = registry->callback([](std::vector<MetricSample>&) {});
  registry.reset();
  survivor.reset();  // may outlive the registry
}

TEST_CASE("a histogram counts up to each bound and goes with its object") {
  MetricRegistry registry;
  {
    Histogram latency(registry, "age_seconds", "Age.", {{"step", "out"}}, {1, 10});
    latency.observe(0.5, 3);
    latency.observe(1);
    latency.observe(11);
    const std::vector<MetricSample> samples = registry.collect();
    REQUIRE(samples.size() == 1);
    CHECK(samples[0].kind == MetricKind::kHistogram);
    CHECK(samples[0].value == 13.5);
    REQUIRE(samples[0].buckets.size() == 3);
    CHECK(samples[0].buckets[0] == std::pair<double, double>(1, 4));
    CHECK(samples[0].buckets[1] == std::pair<double, double>(10, 4));
    CHECK(samples[0].buckets[2].second == 5);
  }
  CHECK(registry.collect().empty());
}
