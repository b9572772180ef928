#include "plan/physical_plan.h"

#include <catch2/catch.hpp>

namespace millrace {

namespace {

Node chain_node(NodeKind kind, std::string id, std::vector<NodeInput> inputs, uint32_t parallelism = 2) {
  Node node;
  node.kind = kind;
  node.id = std::move(id);
  node.inputs = std::move(inputs);
  node.parallelism = parallelism;
  return node;
}

NodeInput chain_input(uint32_t node, uint32_t port = 0, Partitioning partitioning = Partitioning::kForward) {
  return {node, port, partitioning, {}};
}

using NodeLists = std::vector<std::vector<uint32_t>>;

NodeLists node_lists(const PhysicalPlan& plan) {
  NodeLists lists;
  for (const Chain& chain : plan.chains) lists.push_back(chain.nodes);
  return lists;
}

}  // namespace

TEST_CASE("nodes joined by a sole forward edge are one chain") {
  JobGraph graph;
  graph.nodes = {chain_node(NodeKind::kSource, "s", {}), chain_node(NodeKind::kOperator, "f", {chain_input(0)}),
                 chain_node(NodeKind::kSink, "out", {chain_input(1)})};
  const PhysicalPlan plan = make_physical_plan(graph);
  CHECK(node_lists(plan) == NodeLists{{0, 1, 2}});
  CHECK(plan.edges.empty());
  CHECK(plan.chains[0].parallelism == 2);
}

TEST_CASE("an exchange, another parallelism, two readers and two inputs end a chain") {
  JobGraph graph;
  graph.nodes = {chain_node(NodeKind::kSource, "a", {}),
                 chain_node(NodeKind::kSource, "b", {}),
                 chain_node(NodeKind::kOperator, "keyed", {chain_input(0, 0, Partitioning::kHash)}),
                 chain_node(NodeKind::kOperator, "union", {chain_input(1), chain_input(2)}),
                 chain_node(NodeKind::kOperator, "wide", {chain_input(3)}, 4),
                 chain_node(NodeKind::kSink, "x", {chain_input(4)}, 4),
                 chain_node(NodeKind::kSink, "y", {chain_input(4)}, 4)};
  graph.nodes[2].inputs[0].key_columns = {1};
  const PhysicalPlan plan = make_physical_plan(graph);
  CHECK(node_lists(plan) == NodeLists{{0}, {1}, {2}, {3}, {4}, {5}, {6}});
  REQUIRE(plan.edges.size() == 6);
  CHECK(plan.edges[0].partitioning == Partitioning::kHash);
  CHECK(plan.edges[0].key_columns == std::vector<uint32_t>{1});
  CHECK(plan.edges[2].to_input == 1);
  CHECK(plan.edges[2].from_node == 2);
  CHECK(plan.chains[3].in_edges == std::vector<uint32_t>{1, 2});
  CHECK(plan.chains[4].out_edges == std::vector<uint32_t>{4, 5});
}

TEST_CASE("an exchange between single subtasks moves nothing and does not end a chain") {
  JobGraph graph;
  graph.nodes = {chain_node(NodeKind::kSource, "a", {}, 1),
                 chain_node(NodeKind::kOperator, "keyed", {chain_input(0, 0, Partitioning::kHash)}, 1)};
  CHECK(node_lists(make_physical_plan(graph)) == NodeLists{{0, 1}});
}

TEST_CASE("side outputs and the dead letters of a sink leave through edges") {
  JobGraph graph;
  graph.nodes = {chain_node(NodeKind::kSource, "a", {}), chain_node(NodeKind::kOperator, "w", {chain_input(0)}),
                 chain_node(NodeKind::kSink, "out", {chain_input(1)}),
                 chain_node(NodeKind::kSink, "late", {chain_input(1, 1)}),
                 chain_node(NodeKind::kSink, "refused", {chain_input(2)})};
  const PhysicalPlan plan = make_physical_plan(graph);
  CHECK(node_lists(plan) == NodeLists{{0, 1, 2}, {3}, {4}});
  REQUIRE(plan.edges.size() == 2);
  CHECK(plan.edges[0].port == 1);
  CHECK(plan.edges[1].from_node == 2);
  CHECK(plan.edges[1].from_chain == 0);
}

TEST_CASE("dead letters have the columns of the job file's contract") {
  std::string columns;
  for (const Field& field : source_dead_letter_schema()->fields)
    columns += field.name + " " + field.type->to_string() + ", ";
  CHECK(columns ==
        "source STRING, topic STRING, partition INT, offset BIGINT, record_time TIMESTAMP(3), key BYTES, raw BYTES, "
        "raw_text STRING, code STRING, error STRING, failed_at TIMESTAMP(3), ");
  CHECK(step_dead_letter_schema()->find("row") == 4u);
}

}  // namespace millrace
