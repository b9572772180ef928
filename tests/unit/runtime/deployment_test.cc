#include "runtime/deployment.h"

#include <algorithm>
#include <catch2/catch.hpp>

#include "core/random.h"
#include "tests/unit/runtime/mini_job.h"
#include "tests/unit/runtime/shared_channels.h"

namespace millrace {

namespace {

/// What the counting job emits in the end when every row was counted `times` times.
std::vector<int64_t> expected_counts(const MiniSource& shape, int64_t times) {
  std::map<int64_t, int64_t> counts;
  for (int64_t i = 0; i < shape.rows; ++i) {
    for (uint32_t s = 0; s < shape.splits; ++s) counts[(i * shape.splits + s) % shape.keys] += times;
  }
  std::vector<int64_t> rows;
  for (const auto& [key, number] : counts) rows.push_back(key * 1'000'000 + number);
  return rows;
}

std::vector<int64_t> sorted_rows(std::vector<int64_t> rows) {
  std::sort(rows.begin(), rows.end());
  return rows;
}

}  // namespace

TEST_CASE("A job counts every row once, at any parallelism") {
  const MiniSource shape;
  for (const uint32_t parallelism : {1U, 2U, 3U, 5U}) {
    MiniCluster cluster(shape);
    cluster.deploy(mini_graph(parallelism, false));
    cluster.run_to_end();
    REQUIRE(sorted_rows(cluster.rows) == expected_counts(shape, 1));
  }
}

TEST_CASE("Barriers align through a diamond: state and positions of a checkpoint belong together") {
  const MiniSource shape;
  MiniCluster cluster(shape);
  cluster.deploy(mini_graph(3, true));
  for (int i = 0; i < 5; ++i) cluster.run_once();
  cluster.checkpoint(1);
  for (int i = 0; i < 3; ++i) cluster.run_once();  // lost with the crash
  cluster.deploy(mini_graph(3, true));
  cluster.run_to_end();
  REQUIRE(sorted_rows(cluster.rows) == expected_counts(shape, 2));
}

TEST_CASE("A job killed between checkpoints and resumed at other parallelisms counts every row once") {
  const MiniSource shape{.splits = 5, .rows = 900, .keys = 41};
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    SeededRandom random(seed);
    MiniCluster cluster(shape);
    int64_t checkpoint = 0;
    for (int attempt = 0; attempt < 4; ++attempt) {
      cluster.deploy(mini_graph(static_cast<uint32_t>(1 + random.below(4)), seed % 2 == 0));
      for (uint64_t checkpoints = random.below(3); checkpoints > 0; --checkpoints) {
        for (uint64_t steps = random.below(8); steps > 0; --steps) cluster.run_once();
        cluster.checkpoint(++checkpoint);
      }
      for (uint64_t steps = random.below(8); steps > 0; --steps) cluster.run_once();
    }
    cluster.deploy(mini_graph(static_cast<uint32_t>(1 + random.below(4)), seed % 2 == 0));
    cluster.run_to_end();
    REQUIRE(sorted_rows(cluster.rows) == expected_counts(shape, seed % 2 == 0 ? 2 : 1));
  }
}

TEST_CASE("Finished tasks take part in the final checkpoint, and a job restored from it has nothing left to do") {
  const MiniSource shape;
  MiniCluster cluster(shape);
  cluster.deploy(mini_graph(2, true));
  cluster.run_to_end();
  REQUIRE(sorted_rows(cluster.rows) == expected_counts(shape, 2));
  cluster.checkpoint(1, true);
  cluster.deploy(mini_graph(3, true));
  cluster.run_to_end();
  REQUIRE(cluster.rows.empty());
}

TEST_CASE("No row passes a task behind the final barrier of a stop") {
  const MiniSource shape;
  MiniCluster cluster(shape);
  cluster.deploy(mini_graph(2, false));
  for (int i = 0; i < 4; ++i) cluster.run_once();
  cluster.checkpoint(1, true);
  for (int i = 0; i < 100; ++i) cluster.run_once();
  REQUIRE(cluster.finished_tasks.empty());
  cluster.deploy(mini_graph(2, false));
  cluster.run_to_end();
  REQUIRE(sorted_rows(cluster.rows) == expected_counts(shape, 1));
}

TEST_CASE("A job whose slots are on three members counts every row once, and its barriers align") {
  const MiniSource shape;
  for (const std::vector<uint32_t>& slots : {std::vector<uint32_t>{0, 1, 2}, {1, 0, 1, 0, 2}, {2, 2, 0}}) {
    SharedChannels shared;
    MiniCluster cluster(shape);
    cluster.connect = [&](uint32_t member) { return std::make_shared<SharedEnds>(shared, member); };
    const auto graph = mini_graph(static_cast<uint32_t>(slots.size()), true);
    cluster.deploy(graph, slots);
    REQUIRE(shared.opened == 3);
    for (const auto& [key, wakers] : shared.wakers) {
      REQUIRE((wakers.first != nullptr && wakers.second != nullptr));  // both members asked for the same channel
    }
    for (int i = 0; i < 5; ++i) cluster.run_once();
    cluster.checkpoint(1);
    cluster.deployments.clear();
    shared.channels.clear();
    cluster.deploy(graph, slots);
    cluster.run_to_end();
    REQUIRE(sorted_rows(cluster.rows) == expected_counts(shape, 2));
  }
}

TEST_CASE("Sources with max_drift hear of all members that have slots, and hold until they do") {
  SharedChannels shared;
  MiniCluster cluster;
  cluster.connect = [&](uint32_t member) { return std::make_shared<SharedEnds>(shared, member); };
  cluster.deploy(mini_graph(3, false), {0, 2, 0});
  REQUIRE(shared.aligned.empty());
  cluster.deployments.clear();
  shared.channels.clear();
  auto graph = std::make_shared<JobGraph>(*mini_graph(3, false));
  auto source = std::make_shared<SourceConfig>(*graph->nodes[0].source);
  source->event_time.column = 0;
  source->event_time.max_drift_ms = 100;
  graph->nodes[0].source = source;
  cluster.deploy(graph, {0, 2, 0});
  REQUIRE(shared.aligned == std::map<uint32_t, std::vector<uint32_t>>{{0, {2}}, {2, {0}}});
}

TEST_CASE("A deployment with too few slots, or with slots elsewhere and no network, is refused") {
  std::vector<int64_t> rows;
  const Registry registry = mini_registry(rows, {});
  DeploymentConfig config;
  config.graph = mini_graph(3, false);
  config.registry = &registry;
  config.placement = {0, {0, 0}};
  REQUIRE(Deployment::make(config).error().message == "the job needs 3 slots and was given 2");
  config.placement = {0, {0, 0, 1}};
  REQUIRE(Deployment::make(config).error().message == "the job has slots elsewhere, and nothing connects them");
}

}  // namespace millrace
