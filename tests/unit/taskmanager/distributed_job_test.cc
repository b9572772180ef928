#include <catch2/catch.hpp>

#include "core/random.h"
#include "tests/unit/runtime/mini_job.h"
#include "tests/unit/taskmanager/network_support.h"

namespace millrace {

namespace {

constexpr int kPatience = 50'000'000;  // steps without progress: the other threads have had seconds

/// The counting job of mini_job.h with its slots on several members over real connections.
struct DistributedJob {
  explicit DistributedJob(uint32_t members, DataNetworkOptions options = {}, MiniSource shape = {})
      : network(members, std::move(options)), cluster(shape) {
    cluster.silent_steps_max = kPatience;
    cluster.connect = [this](uint32_t member) { return network.join(member, "mini", attempt); };
  }
  void deploy(const std::shared_ptr<const JobGraph>& graph, const std::vector<uint32_t>& slots) {
    ++attempt;
    cluster.deploy(graph, slots);
  }
  std::vector<int64_t> sorted_rows() const {
    std::vector<int64_t> rows = cluster.rows;
    std::sort(rows.begin(), rows.end());
    return rows;
  }

  NetworkCluster network;
  MiniCluster cluster;
  int64_t attempt = 0;
};

/// So many rows and so small windows that no source comes to its end while a checkpoint waits for the network.
constexpr MiniSource kLongSource{.rows = 4'000};

DataNetworkOptions small_window(size_t bytes, uint32_t entries) {
  DataNetworkOptions options;
  options.window = {.bytes = bytes, .entries = entries};
  options.compression = {.bytes_min = 1, .loopback = true};
  return options;
}

/// What the same job gives in one process.
std::vector<int64_t> local_rows(uint32_t parallelism, bool diamond, MiniSource shape = {}) {
  MiniCluster cluster(shape);
  cluster.deploy(mini_graph(parallelism, diamond));
  cluster.run_to_end();
  std::sort(cluster.rows.begin(), cluster.rows.end());
  return cluster.rows;
}

}  // namespace

TEST_CASE("A job over three members gives what it gives in one process") {
  for (const bool diamond : {false, true}) {
    for (const std::vector<uint32_t>& slots : {std::vector<uint32_t>{0, 1, 2}, {1, 0, 1, 0, 2}, {2, 2, 0}}) {
      const auto parallelism = static_cast<uint32_t>(slots.size());
      DistributedJob job(3);
      job.deploy(mini_graph(parallelism, diamond), slots);
      job.cluster.run_to_end();
      REQUIRE(job.sorted_rows() == local_rows(parallelism, diamond));
    }
  }
}

TEST_CASE("Barriers align over the network, also through a diamond whose windows hold one element") {
  for (const auto& [bytes, entries] : {std::pair<size_t, uint32_t>{1, 1}, {2'000, 64}, {10'000, 5}}) {
    DistributedJob job(3, small_window(bytes, entries), kLongSource);
    const auto graph = mini_graph(3, true);
    job.deploy(graph, {0, 1, 2});
    for (int64_t checkpoint = 1; checkpoint <= 4; ++checkpoint) {
      for (int i = 0; i < 20; ++i) job.cluster.run_once();
      job.cluster.checkpoint(checkpoint);
    }
    for (int i = 0; i < 20; ++i) job.cluster.run_once();  // lost with the crash
    job.deploy(graph, {2, 0, 1});
    job.cluster.run_to_end();
    REQUIRE(job.sorted_rows() == local_rows(3, true, kLongSource));
  }
}

TEST_CASE("A job killed between checkpoints and resumed on other members counts every row once") {
  for (uint64_t seed = 1; seed <= 8; ++seed) {
    SeededRandom random(seed);
    DistributedJob job(3, small_window(1'000, 8), kLongSource);
    int64_t checkpoint = 0;
    const auto deploy = [&] {
      std::vector<uint32_t> slots(2 + random.below(4));
      for (uint32_t& owner : slots) owner = static_cast<uint32_t>(random.below(3));
      job.deploy(mini_graph(static_cast<uint32_t>(slots.size()), seed % 2 == 0), slots);
    };
    for (int attempt = 0; attempt < 3; ++attempt) {
      deploy();
      for (uint64_t steps = random.below(20); steps > 0; --steps) job.cluster.run_once();
      job.cluster.checkpoint(++checkpoint);
      for (uint64_t steps = random.below(20); steps > 0; --steps) job.cluster.run_once();
    }
    deploy();
    job.cluster.run_to_end();
    REQUIRE(job.sorted_rows() == local_rows(2, seed % 2 == 0, kLongSource));
  }
}

}  // namespace millrace
