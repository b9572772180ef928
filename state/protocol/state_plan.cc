#include "state/protocol/state_plan.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "state/in_flight_state.h"

namespace millrace {

namespace {

using StateKey = std::pair<std::string, std::string>;

const SnapshotStateInfo* find_held(const CheckpointFacts& checkpoint, std::string_view step, std::string_view name) {
  for (const SnapshotStateInfo& info : checkpoint.states) {
    if (info.state.step == step && info.state.name == name) return &info;
  }
  return nullptr;
}

bool holds_step(const CheckpointFacts& checkpoint, std::string_view step) {
  return std::ranges::any_of(checkpoint.states, [&](const auto& info) { return info.state.step == step; });
}

std::string form_of(const StateDescriptor& held) {
  const auto schema = parse_state_layout(held.layout, held.name, held.kind);
  return schema ? schema->form : std::string();
}

std::string with_article(const std::string& form) {
  const bool vowel = !form.empty() && std::string_view("aeiou").find(form[0]) != std::string_view::npos;
  return (vowel ? "an " : "a ") + form;
}

class StatePlanner {
 public:
  StatePlanner(const CheckpointFacts& checkpoint, const JobGraph& graph) : checkpoint_(checkpoint), graph_(graph) {}

  StatePlan run() {
    if (checkpoint_.max_parallelism != graph_.settings.max_parallelism) {
      plan_.refused = fmt::format("the checkpoint was written with max_parallelism {}, the job has {}",
                                  checkpoint_.max_parallelism, graph_.settings.max_parallelism);
      plan_.help = fmt::format("set settings.max_parallelism to {}; it is fixed for the life of the state",
                               checkpoint_.max_parallelism);
    }
    // Whoever restores looks at these by itself (check_rows_in_flight), and a job manager can wait until they are gone.
    for (const SnapshotStateInfo& info : checkpoint_.states) {
      if (is_in_flight_state(info.state)) seen_.insert({info.state.step, info.state.name});
    }
    for (const Node& node : graph_.nodes) plan_node(node);
    for (const SnapshotStateInfo& info : checkpoint_.states) {
      const bool known = seen_.contains({info.state.step, info.state.name}) || form_of(info.state) == "progress";
      if (!known) drop(info, "the job has no such step");
    }
    if (const Status rows = check_rows_in_flight(checkpoint_.states, graph_); !rows) {
      plan_.in_flight = rows.error().message;
    }
    return std::move(plan_);
  }

 private:
  /// After the first checkpoint under the new id the former one means nothing any more.
  [[nodiscard]] const std::string& held_under(const Node& node) const {
    return node.was.empty() || holds_step(checkpoint_, node.id) ? node.id : node.was;
  }

  void plan_node(const Node& node) {
    const std::string& from = held_under(node);
    bool found = false;
    for (const StateSchema& wanted : node.states) {
      const SnapshotStateInfo* held = find_held(checkpoint_, from, wanted.name);
      found = found || (held != nullptr && wanted.form != "progress");
      plan_wanted(node, wanted, held);
    }
    for (const SnapshotStateInfo& info : checkpoint_.states) {
      if (info.state.step != from || seen_.contains({from, info.state.name})) continue;
      plan_left_over(node, info, found);
    }
  }

  [[nodiscard]] bool empty(const SnapshotStateInfo& info) const { return info.rows == 0 && !checkpoint_.more_in_files; }

  PlannedState& add(const Node& node, std::string_view name) {
    PlannedState& state = plan_.states.emplace_back();
    state.step = node.id;
    state.name = name;
    state.readers = std::max<uint32_t>(node.parallelism, 1);
    return state;
  }

  void take(PlannedState& state, const SnapshotStateInfo& held) {
    seen_.insert({held.state.step, held.state.name});
    state.held = held.state;
    state.rows = held.rows;
    state.bytes = held.bytes;
  }

  void plan_wanted(const Node& node, const StateSchema& wanted, const SnapshotStateInfo* held) {
    PlannedState& state = add(node, wanted.name);
    state.wanted = {node.id, wanted.name, wanted.kind, state_layout(wanted)};
    if (held == nullptr) return;
    take(state, *held);
    state.names = node.was_names;
    state.fate = StateFate::kRestored;
    if (held->state.kind == wanted.kind && held->state.layout == state.wanted.layout) return;
    const auto from = parse_state_layout(held->state.layout, wanted.name, held->state.kind);
    MatchReport report;
    if (!from || !wanted.text.empty() || held->state.kind != wanted.kind) {
      report.refuse(
          fmt::format("it was written as `{}`, this build reads `{}`", held->state.layout, state.wanted.layout));
    } else {
      report = match_state(*from, wanted, node.was_names);
    }
    state.changes = std::move(report.changes);
    if (!state.changes.empty()) state.fate = StateFate::kMigrated;
    if (report.ok()) return;
    if (empty(*held)) {  // nothing to read
      state.fate = StateFate::kNew;
      return;
    }
    state.fate = StateFate::kImpossible;
    state.reason = std::move(report.refused);
    state.help = fmt::format(
        "undo the change; or give the step another id, so that it starts empty and the state of "
        "`{}` is dropped with --allow-dropped-state",
        held->state.step);
  }

  /// A state of the step that it does not keep any more.
  void plan_left_over(const Node& node, const SnapshotStateInfo& info, bool others_found) {
    const std::string form = form_of(info.state);
    if (form == "progress" || empty(info)) {
      seen_.insert({info.state.step, info.state.name});
      return;
    }
    if (node.kind != NodeKind::kOperator || others_found) {
      drop(info, fmt::format("`{}` does not keep it any more", node.id));
      return;
    }
    PlannedState& state = add(node, info.state.name);
    take(state, info);
    state.fate = StateFate::kImpossible;
    const std::string now = node.states.empty() ? node.type : now_form(node);
    state.reason = fmt::format("`{}` was {}, and is {} now", node.id,
                               form.empty() ? "another step" : with_article(form), with_article(now));
    state.help =
        "a step that became another kind of step needs another id; the old state is then dropped with "
        "--allow-dropped-state";
  }

  static std::string now_form(const Node& node) {
    for (const StateSchema& schema : node.states) {
      if (schema.form != "progress") return schema.form;
    }
    return node.type;
  }

  void drop(const SnapshotStateInfo& info, std::string reason) {
    PlannedState& state = plan_.states.emplace_back();
    state.step = info.state.step;
    state.name = info.state.name;
    take(state, info);
    state.fate = StateFate::kDropped;
    state.reason = std::move(reason);
    state.loses_rows = !empty(info);
  }

  const CheckpointFacts& checkpoint_;
  const JobGraph& graph_;
  StatePlan plan_;
  std::set<StateKey> seen_;
};

}  // namespace

std::string_view state_fate_name(StateFate fate) {
  switch (fate) {
    case StateFate::kRestored:
      return "restored";
    case StateFate::kMigrated:
      return "migrated";
    case StateFate::kNew:
      return "new";
    case StateFate::kDropped:
      return "dropped";
    case StateFate::kImpossible:
      return "impossible";
  }
  return "";
}

bool PlannedState::bookkeeping() const {
  return name.ends_with("_progress") && (fate == StateFate::kRestored || fate == StateFate::kNew || rows == 0);
}

StatePlan plan_state(const CheckpointFacts& checkpoint, const JobGraph& graph) {
  return StatePlanner(checkpoint, graph).run();
}

Status check_state_plan(const StatePlan& plan, bool allow_dropped_state) {
  if (!plan.refused.empty()) return make_error(ErrorCode::kIncompatibleState, plan.refused, plan.help);
  std::set<std::string> dropped;
  for (const PlannedState& state : plan.states) {
    if (state.fate == StateFate::kImpossible) {
      return make_error(
          ErrorCode::kIncompatibleState,
          fmt::format("state `{}` of step `{}` cannot be restored: {}", state.name, state.step, state.reason),
          state.help);
    }
    if (state.fate == StateFate::kDropped && state.loses_rows) dropped.insert(state.step);
  }
  if (dropped.empty() || allow_dropped_state) return {};
  std::string names;
  for (const std::string& step : dropped) names += (names.empty() ? "`" : ", `") + step + "`";
  return make_error(
      ErrorCode::kRefusedByState, "the checkpoint holds state of " + names + ", which the job does not read",
      "keep the id, name the new step's old id with `was:`, or accept the loss with --allow-dropped-state");
}

int64_t restore_estimate_ms(const StatePlan& plan) {
  // Of the order that `bench recovery` shows for 100-byte rows; each converted row is decoded and encoded besides.
  constexpr double kRestoredBytesPerMs = 400e3;
  constexpr double kConvertedBytesPerMs = 60e3;
  constexpr double kStartMs = 50;
  double slowest = 0;
  for (const PlannedState& state : plan.states) {
    if (state.wanted.step.empty() || state.held.step.empty()) continue;
    const double rate = state.convert() ? kConvertedBytesPerMs : kRestoredBytesPerMs;
    slowest = std::max(slowest, static_cast<double>(state.bytes) / rate / state.readers);
  }
  return static_cast<int64_t>(kStartMs + slowest);
}

}  // namespace millrace
