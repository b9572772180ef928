// Chains and edges from a JobGraph: nodes joined by a sole forward edge run in one task. An exchange between two nodes
// of one subtask each moves nothing and counts as forward. A pure function, so that every process derives the same
// numbers.
#pragma once

#include <cstdint>
#include <vector>

#include "plan/job_graph.h"

namespace millrace {

/// Rows leaving port `port` of node `from_node` (in chain `from_chain`) for input `to_input` of node `to_node`, which
/// is the head of chain `to_chain`.
struct PhysicalEdge {
  uint32_t from_chain = 0;
  uint32_t from_node = 0;
  uint32_t port = 0;
  uint32_t to_chain = 0;
  uint32_t to_node = 0;
  uint32_t to_input = 0;
  Partitioning partitioning = Partitioning::kForward;
  std::vector<uint32_t> key_columns;
};

struct Chain {
  std::vector<uint32_t> nodes;  // in flow order; nodes[0] is a source or has its inputs through edges
  uint32_t parallelism = 1;
  std::vector<uint32_t> in_edges;  // indexes into PhysicalPlan::edges
  std::vector<uint32_t> out_edges;
};

struct PhysicalPlan {
  std::vector<Chain> chains;  // topological order
  std::vector<PhysicalEdge> edges;
  std::vector<uint32_t> chain_of_node;
};

PhysicalPlan make_physical_plan(const JobGraph& graph);

}  // namespace millrace
