// What the readers of the job file's parts share while one file is planned. Single-threaded, lives inside plan_job.
// Nodes with mistakes stay in the graph, marked broken, so that steps behind them are still checked for everything that
// does not need their columns, and one mistake never causes a second message.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "plan/interpolate.h"
#include "plan/planner.h"
#include "plan/registry.h"

namespace millrace {

struct SpecContext {
  SpecContext(const PlanRegistry& registry_in, const SpecOverrides& overrides_in, Diagnostics& diagnostics_in)
      : registry(registry_in), overrides(overrides_in), diagnostics(diagnostics_in) {}

  const PlanRegistry& registry;
  const SpecOverrides& overrides;
  Diagnostics& diagnostics;
  std::vector<Scope::Parameter> parameters;
  Substitutions substitutions;
  JobGraph graph;
  std::vector<bool> broken;                            // per node: its columns are not known
  std::map<std::string, Position, std::less<>> names;  // all declared ids, those below included
  std::set<const Located*> secrets;                    // values that never leave the file resolved

  // What the graph itself does not keep, per node.
  std::vector<std::optional<std::vector<std::vector<uint32_t>>>> reads;
  std::vector<bool> passes_through;
  std::vector<std::optional<PartialStep>> partial;

  uint32_t add_node(Node node, bool is_broken) {
    graph.nodes.push_back(std::move(node));
    broken.push_back(is_broken);
    reads.emplace_back();
    passes_through.push_back(false);
    partial.emplace_back();
    return static_cast<uint32_t>(graph.nodes.size()) - 1;
  }
  [[nodiscard]] size_t errors() const { return diagnostics.count(Severity::kError); }
};

/// An output that a step or sink reads.
struct InputRef {
  uint32_t node = 0;
  uint32_t port = 0;
  bool broken = false;
};

/// "per_user", "per_user.late". Reports names that do not exist or stand below.
std::optional<InputRef> resolve_input(SpecContext& context, const Located& reference);

/// Registers an id of a source, step or sink; reports duplicates and names that are no ids.
void declare_name(SpecContext& context, const std::string& id, Position at);

/// Refuses a name that is not registered: E0207 when the contract knows it, otherwise `code` with the nearest name.
void report_unknown_name(SpecContext& context, ErrorCode code, std::string_view what, const Located& name,
                         std::vector<std::string_view> known, std::span<const std::string_view> future);

/// Where a scalar's text begins, behind its quote.
inline Position text_position(const Located& value) { return value.content.line > 0 ? value.content : value.position; }
inline int text_length(const Located& value) {
  return value.interpolated || value.text.empty() ? 1 : static_cast<int>(value.text.size());
}

}  // namespace millrace
