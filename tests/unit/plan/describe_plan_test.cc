#include <catch2/catch.hpp>

#include "plan/plan_facts.h"
#include "tests/unit/plan/fake_registry.h"

namespace millrace {

namespace {

constexpr std::string_view kDescribed = R"yaml(version: 1
name: per-user
settings: {parallelism: 2}
sources:
  events:
    type: kafka
    brokers: b:1
    topics: t
    schema: {user: STRING, flag: BOOLEAN, note: STRING, at: TIMESTAMP(3)}
    event_time: {column: at, out_of_orderness: 5s, idle_timeout: 30s}
steps:
  - {id: flagged, filter: flag}
  - {id: counts, key_by: [user], window: {}, aggregate: {n: COUNT(*)}}
sinks:
  out: {type: kafka, brokers: b:1, topic: o, key: user}
  late: {type: print, input: counts.late}
)yaml";

}  // namespace

TEST_CASE("a plan is shown as chains with their exchanges, watermarks and delays") {
  const PlannedJob job = plan_fake(kDescribed);
  REQUIRE(job.ok);
  CHECK(describe_plan(job.graph, "text") ==
        "job per-user\n"
        "parallelism 2, max_parallelism 128, checkpoint every 10s (exactly_once), restart exponential\n"
        "\n"
        "chain 1, 2 subtasks\n"
        "  source events: kafka, append, json, all 4 columns read\n"
        "    watermark: highest `at` - 5s - 1ms, every 200ms; partitions idle after 30s\n"
        "    columns: user STRING, flag BOOLEAN, note STRING, at TIMESTAMP(3)\n"
        "  step flagged: filter, append\n"
        "    flag\n"
        "    columns: user STRING, flag BOOLEAN, note STRING, at TIMESTAMP(3)\n"
        "  -> flagged hash(user) to counts (chain 2)\n"
        "\n"
        "chain 2, 2 subtasks\n"
        "  step counts: window, append, keeps state\n"
        "    window 1m\n"
        "    columns: user STRING, n BIGINT\n"
        "  sink out: kafka, takes append, delivery at_least_once, key user\n"
        "    expected delay: up to 1m5s200ms (window 1m + out_of_orderness 5s + watermark every 200ms)\n"
        "  -> counts.late rebalance to late (chain 3)\n"
        "\n"
        "chain 3, 1 subtask\n"
        "  sink late: print, takes append, delivery at_least_once\n"
        "    expected delay: up to 1m5s200ms (window 1m + out_of_orderness 5s + watermark every 200ms)\n");
}

TEST_CASE("a plan is also a graph for dot and a document") {
  const PlannedJob job = plan_fake(kDescribed);
  REQUIRE(job.ok);
  const std::string dot = describe_plan(job.graph, "dot");
  CHECK(dot.find("digraph \"per-user\" {") == 0);
  CHECK(dot.find("n1 -> n2 [label=\"hash(user)\"];") != std::string::npos);
  CHECK(dot.find("n2 -> n4 [label=\"rebalance\\n.late\"];") != std::string::npos);
  const std::string json = describe_plan(job.graph, "json");
  CHECK(json.find("\"expected_delay_ms\": 65200") != std::string::npos);
  CHECK(json.find("\"partitioning\": \"hash\"") != std::string::npos);
  CHECK(json.find("\"changelog\": \"append\"") != std::string::npos);
}

TEST_CASE("a job without windows waits for nothing but commits") {
  const PlannedJob job = plan_fake(
      "version: 1\nname: j\nsources: {a: {type: datagen, schema: {x: BOOLEAN}}}\nsinks: {out: {type: print}}\n");
  REQUIRE(job.ok);
  CHECK(output_delay(job.graph, job.graph.nodes[1]).total_ms() == 0);
  CHECK(delay_text({}) == "none: rows pass as they come");
}

}  // namespace millrace
