#include "core/metrics.h"

#include <catch2/catch.hpp>

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
