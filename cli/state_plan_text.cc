#include "cli/state_plan_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "cli/result_output.h"
#include "plan/option_text.h"

namespace millrace {

namespace {

using PlanJson = nlohmann::ordered_json;

std::string state_line(const PlannedState& state) {
  std::string line = fmt::format("  {:<10}  {}/{}", state_fate_name(state.fate), state.step, state.name);
  if (state.fate != StateFate::kNew) {
    line += fmt::format(": {} rows, {}", state.rows, bytes_text(static_cast<double>(state.bytes)));
    if (state.held.step != state.step) line += ", held as " + state.held.step;
  } else {
    line += ": starts empty";
  }
  line += "\n";
  if (!state.reason.empty()) line += "                because " + state.reason + "\n";
  for (const PartChange& change : state.changes) {
    if (state.fate != StateFate::kImpossible) line += "                " + part_change_text(change) + "\n";
  }
  if (!state.help.empty()) line += "                = help: " + state.help + "\n";
  return line;
}

bool is_refused(const StatePlan& plan) { return !check_state_plan(plan, true); }
bool loses_state(const StatePlan& plan) { return !is_refused(plan) && !check_state_plan(plan, false); }

}  // namespace

std::string state_plan_text(const StatePlan& plan, const CheckpointMetadata& checkpoint) {
  std::string out = fmt::format("against checkpoint {} of job {}, {} (UTC)\n", checkpoint.checkpoint_id,
                                checkpoint.job_name, time_text(checkpoint.completed_ms));
  if (!plan.refused.empty()) {
    return out + fmt::format("  impossible: {}\n  = help: {}\n", plan.refused, plan.help);
  }
  uint64_t rows = 0;
  uint64_t bytes = 0;
  for (const PlannedState& state : plan.states) {
    if (!state.bookkeeping()) out += state_line(state);
    if (state.fate != StateFate::kRestored && state.fate != StateFate::kMigrated) continue;
    rows += state.rows;
    bytes += state.bytes;
  }
  if (is_refused(plan)) return out + "a start is refused\n";
  if (!plan.in_flight.empty()) {
    out += "  note: " + plan.in_flight + ": a job that resumes runs its former file until the next checkpoint, a start "
           "with --restore is refused\n";
  }
  if (loses_state(plan)) out += "a start needs --allow-dropped-state\n";
  return out + fmt::format("restores {} rows, {}, in about {}\n", rows, bytes_text(static_cast<double>(bytes)),
                           format_duration(restore_estimate_ms(plan)));
}

std::string state_plan_json(const StatePlan& plan, const CheckpointMetadata& checkpoint) {
  PlanJson states = PlanJson::array();
  constexpr std::string_view kPartFates[] = {"added", "dropped", "widened", "renamed"};
  for (const PlannedState& state : plan.states) {
    PlanJson json{{"step", state.step}, {"state", state.name}, {"fate", state_fate_name(state.fate)}};
    if (!state.held.step.empty()) {
      json["held_as"] = state.held.step;
      json["rows"] = state.rows;
      json["bytes"] = state.bytes;
    }
    if (!state.reason.empty()) json["reason"] = state.reason;
    if (!state.help.empty()) json["help"] = state.help;
    PlanJson changes = PlanJson::array();
    for (const PartChange& change : state.changes) {
      PlanJson one{{"fate", kPartFates[static_cast<size_t>(change.fate)]}, {"name", change.name}};
      if (!change.was.empty()) one["was"] = change.was;
      if (!change.now.empty()) one["now"] = change.now;
      changes.push_back(std::move(one));
    }
    if (!changes.empty()) json["changes"] = std::move(changes);
    states.push_back(std::move(json));
  }
  PlanJson json{{"checkpoint", checkpoint.checkpoint_id},
                {"job", checkpoint.job_name},
                {"refused", is_refused(plan)},
                {"needs_allow_dropped_state", loses_state(plan)},
                {"estimate_ms", restore_estimate_ms(plan)}};
  if (!plan.refused.empty()) json["reason"] = plan.refused;
  if (!plan.in_flight.empty()) json["in_flight"] = plan.in_flight;
  json["states"] = std::move(states);
  return json.dump(2, ' ', false, PlanJson::error_handler_t::replace);
}

}  // namespace millrace
