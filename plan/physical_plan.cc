#include "plan/physical_plan.h"

#include <algorithm>

namespace millrace {

namespace {

/// Between two nodes of one subtask each nothing is exchanged, whatever the edge is called.
bool moves_nothing(const Node& from, const Node& to, const NodeInput& input) {
  if (from.parallelism != to.parallelism) return false;
  return input.partitioning == Partitioning::kForward || to.parallelism == 1;
}

class ChainBuilder {
 public:
  explicit ChainBuilder(const JobGraph& graph) : graph_(graph) {
    readers_.resize(graph.nodes.size());
    for (const Node& node : graph.nodes) {
      for (const NodeInput& input : node.inputs) {
        if (input.port == 0 && !is_dead_letter_of_sink(input.node)) ++readers_[input.node];
      }
    }
  }

  PhysicalPlan build() {
    const auto count = static_cast<uint32_t>(graph_.nodes.size());
    for (uint32_t i = 0; i < count; ++i) {
      if (joins_chain(graph_.nodes[i])) {
        const uint32_t chain = plan_.chain_of_node[graph_.nodes[i].inputs[0].node];
        plan_.chains[chain].nodes.push_back(i);
        plan_.chain_of_node.push_back(chain);
      } else {
        plan_.chain_of_node.push_back(static_cast<uint32_t>(plan_.chains.size()));
        plan_.chains.push_back({{i}, graph_.nodes[i].parallelism, {}, {}});
      }
    }
    for (uint32_t chain = 0; chain < plan_.chains.size(); ++chain) connect(chain);
    return std::move(plan_);
  }

 private:
  /// The only port of a sink carries refused rows: it is not the end of a chain.
  [[nodiscard]] bool is_dead_letter_of_sink(uint32_t node) const { return graph_.nodes[node].kind == NodeKind::kSink; }

  [[nodiscard]] bool joins_chain(const Node& node) const {
    if (node.inputs.size() != 1) return false;
    const NodeInput& input = node.inputs[0];
    if (input.port != 0 || is_dead_letter_of_sink(input.node) || readers_[input.node] != 1) return false;
    return moves_nothing(graph_.nodes[input.node], node, input);
  }

  void connect(uint32_t chain) {
    const uint32_t head = plan_.chains[chain].nodes[0];
    const std::vector<NodeInput>& inputs = graph_.nodes[head].inputs;
    for (uint32_t i = 0; i < inputs.size(); ++i) {
      const NodeInput& input = inputs[i];
      const uint32_t from_chain = plan_.chain_of_node[input.node];
      const auto edge = static_cast<uint32_t>(plan_.edges.size());
      plan_.edges.push_back(
          {from_chain, input.node, input.port, chain, head, i, input.partitioning, input.key_columns});
      plan_.chains[from_chain].out_edges.push_back(edge);
      plan_.chains[chain].in_edges.push_back(edge);
    }
  }

  const JobGraph& graph_;
  std::vector<uint32_t> readers_;  // of port 0, per node
  PhysicalPlan plan_;
};

}  // namespace

PhysicalPlan make_physical_plan(const JobGraph& graph) { return ChainBuilder(graph).build(); }

}  // namespace millrace
