#include "state/in_flight_state.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/hash.h"

namespace millrace {

namespace {

constexpr std::string_view kInFlightPrefix = "in_flight_";

std::string_view partitioning_text(Partitioning partitioning) {
  switch (partitioning) {
    case Partitioning::kForward:
      return "forward";
    case Partitioning::kHash:
      return "hash";
    case Partitioning::kBroadcast:
      return "broadcast";
    case Partitioning::kRebalance:
      return "rebalance";
    case Partitioning::kGlobal:
      return "global";
  }
  return "";
}

uint32_t columns_read(const JobGraph& graph) {
  std::string text;
  for (const Node& node : graph.nodes) {
    if (!node.source) continue;
    for (const SourceColumn& column : node.source->columns) {
      if (column.used) text += node.id + "." + column.name + "\n";
    }
  }
  return crc32c(text);
}

}  // namespace

std::vector<StateDescriptor> in_flight_states(const JobGraph& graph, const PhysicalPlan& plan) {
  const uint32_t read = columns_read(graph);
  std::vector<StateDescriptor> states;
  for (const PhysicalEdge& edge : plan.edges) {
    const Node& from = graph.nodes[edge.from_node];
    const Node& to = graph.nodes[edge.to_node];
    StateDescriptor& state = states.emplace_back();
    state.step = to.id;
    state.name = std::string(kInFlightPrefix) + std::to_string(edge.to_input);
    state.kind = StateKind::kSubtask;
    state.layout =
        fmt::format("{} from {} subtasks of `{}`, output {}, to {}; {:08x}", partitioning_text(edge.partitioning),
                    from.parallelism, from.id, edge.port, to.parallelism, read);
    if (from.outputs[edge.port].schema == nullptr) continue;
    for (const Field& field : from.outputs[edge.port].schema->fields) {
      state.layout += fmt::format(", {} {}", field.name, field.type->to_string());
    }
  }
  return states;
}

bool is_in_flight_state(const StateDescriptor& state) { return state.name.starts_with(kInFlightPrefix); }

Status check_rows_in_flight(const std::vector<SnapshotStateInfo>& states, const JobGraph& graph) {
  const std::vector<StateDescriptor> edges = in_flight_states(graph, make_physical_plan(graph));
  for (const SnapshotStateInfo& info : states) {
    if (!is_in_flight_state(info.state) || std::ranges::find(edges, info.state) != edges.end()) continue;
    return make_error(ErrorCode::kRefusedByState,
                      "the checkpoint is unaligned: it holds rows on their way to `" + info.state.step + "` (" +
                          info.state.layout + "), and the job has no such channels",
                      "run the file and the parallelism that it was taken with, and change them on the running job or "
                      "from a savepoint");
  }
  return {};
}

bool same_channels(const JobGraph& a, const JobGraph& b) {
  return in_flight_states(a, make_physical_plan(a)) == in_flight_states(b, make_physical_plan(b));
}

}  // namespace millrace
