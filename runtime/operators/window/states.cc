#include "runtime/operators/window/states.h"

#include <fmt/format.h>

#include "plan/option_text.h"
#include "runtime/operators/state_fields.h"

namespace millrace {

namespace {

std::string window_form(const WindowSpec& spec) {
  switch (spec.kind) {
    case WindowKind::kTumbling:
      return "tumbling window";
    case WindowKind::kSliding:
      return "sliding window";
    case WindowKind::kCumulating:
      return "cumulating window";
    case WindowKind::kSession:
      return "session window";
    case WindowKind::kCount:
      return "count window";
    case WindowKind::kGlobal:
      return "global window";
  }
  return "window";
}

/// What rows of the state depend on. Gap, lateness and triggers may change: they only decide what happens next.
std::vector<std::pair<std::string, std::string>> window_rules(const WindowSpec& spec) {
  std::vector<std::pair<std::string, std::string>> rules;
  if (spec.size_ms > 0) {
    rules.emplace_back("size", format_duration(spec.size_ms));
    if (spec.slide_ms != spec.size_ms) rules.emplace_back("slide", format_duration(spec.slide_ms));
    rules.emplace_back("offset", format_duration(spec.offset_ms));
  }
  if (spec.count_size > 0) {
    rules.emplace_back("size", fmt::format("{} rows", spec.count_size));
    rules.emplace_back("slide", fmt::format("{} rows", spec.count_slide));
  }
  if (spec.kind != WindowKind::kCount) rules.emplace_back("time", spec.processing_time ? "processing" : "event");
  return rules;
}

void append(std::vector<StateField>& to, std::vector<StateField> fields) {
  for (StateField& field : fields) to.push_back(std::move(field));
}

std::vector<StateField> trigger_fields() {
  return {state_field("trigger_rows", StateForm::kInt64), state_field("trigger_first", StateForm::kTime),
          state_field("trigger_reached", StateForm::kTime)};
}

/// One accumulator row per key and window (key_windows.cc).
void describe_key_windows(const WindowSpec& spec, const StateField& key, StateSchema& state) {
  state.rules.emplace_back("rows", "per window");
  state.key = {state_field(spec.kind == WindowKind::kSession ? "session" : "start",
                           spec.kind == WindowKind::kSession ? StateForm::kInt64 : StateForm::kTime),
               key};
  state.value = {state_field("window_start", StateForm::kTime), state_field("window_end", StateForm::kTime),
                 state_field("next_fire", StateForm::kTime), state_field("closed", StateForm::kInt64),
                 state_field("filled", StateForm::kInt64)};
  append(state.value, trigger_fields());
}

}  // namespace

std::vector<StateSchema> window_states(const WindowConfig& config) {
  const WindowSpec& spec = config.spec;
  const StateField key = key_field(*config.input, config.keys);
  StateSchema state;
  state.name = "window";
  state.form = window_form(spec);
  state.rules = window_rules(spec);
  std::vector<StateSchema> states;
  if (spec.kind == WindowKind::kCount) {
    StateSchema counts = state;
    counts.name = "count";
    counts.key = {key};
    counts.value = {state_field("rows", StateForm::kInt64)};
    states.push_back(std::move(counts));
    state.key = {state_field("pane", StateForm::kInt64), key};
  } else if (spec.kind == WindowKind::kGlobal) {
    state.key = {key};
    state.value = trigger_fields();
  } else if (spec.per_window()) {
    describe_key_windows(spec, key, state);
  } else {
    // A tumbling window is one pane.
    const bool tumbling = spec.kind == WindowKind::kTumbling;
    state.key = {state_field(tumbling ? "window_start" : "pane_start", StateForm::kTime), key};
  }
  const size_t first = config.keys.size() + (spec.has_bounds() ? 2 : 0);
  append(state.value, aggregate_fields(config.calls, config.results, first));
  states.push_back(std::move(state));
  states.push_back(progress_schema("window_progress"));
  return states;
}

}  // namespace millrace
