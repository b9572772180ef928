#include "plan/spec/partial_steps.h"

namespace millrace {

namespace {

/// Somebody reads single rows that the step refused (late ones): they must arrive as they are.
bool side_output_is_read(const JobGraph& graph, uint32_t node) {
  for (const Node& reader : graph.nodes) {
    for (const NodeInput& input : reader.inputs) {
      if (input.node != node || input.port == 0) continue;
      if (graph.nodes[node].outputs[input.port].name != "dead_letter") return true;
    }
  }
  return false;
}

bool wants_partial_step(const SpecContext& context, uint32_t number) {
  const Node& node = context.graph.nodes[number];
  return context.partial[number] && node.parallelism > 1 && node.inputs.size() == 1 &&
         node.inputs[0].partitioning == Partitioning::kHash && !side_output_is_read(context.graph, number);
}

Node make_partial_step(const JobGraph& graph, const Node& step, const PartialStep& partial) {
  const NodeInput& input = step.inputs[0];
  Node node;
  node.kind = NodeKind::kOperator;
  node.id = step.id + ".partial";
  node.type = partial.type;
  node.inputs = {{input.node, input.port, Partitioning::kForward, {}}};
  node.outputs = {{"", partial.rows, Changelog::kAppend, {}}, {"sums", partial.partials, Changelog::kAppend, {}}};
  node.parallelism = graph.nodes[input.node].parallelism;
  node.detail = "sums in front of the exchange";
  node.position = step.position;
  node.config = step.config;
  return node;
}

}  // namespace

void insert_partial_steps(SpecContext& context) {
  JobGraph& graph = context.graph;
  std::vector<Node> nodes;
  std::vector<uint32_t> moved;  // old number -> new number
  for (uint32_t number = 0; number < graph.nodes.size(); ++number) {
    std::optional<Node> partial;
    if (wants_partial_step(context, number)) {
      partial = make_partial_step(graph, graph.nodes[number], *context.partial[number]);
      partial->inputs[0].node = moved[partial->inputs[0].node];
    }
    Node node = graph.nodes[number];
    for (NodeInput& input : node.inputs) input.node = moved[input.node];
    if (partial) {
      const auto from = static_cast<uint32_t>(nodes.size());
      node.inputs = {{from, 0, Partitioning::kHash, node.inputs[0].key_columns},
                     {from, 1, Partitioning::kHash, context.partial[number]->key_columns}};
      nodes.push_back(std::move(*partial));
    }
    moved.push_back(static_cast<uint32_t>(nodes.size()));
    nodes.push_back(std::move(node));
  }
  graph.nodes = std::move(nodes);
}

}  // namespace millrace
