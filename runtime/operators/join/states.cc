#include "runtime/operators/join/states.h"

#include "plan/option_text.h"
#include "runtime/operators/state_fields.h"

namespace millrace {

namespace {

const char* join_type_name(JoinType type) {
  switch (type) {
    case JoinType::kInner:
      return "inner";
    case JoinType::kLeft:
      return "left";
    case JoinType::kRight:
      return "right";
    case JoinType::kFull:
      return "full";
    case JoinType::kSemi:
      return "semi";
    case JoinType::kAnti:
      return "anti";
  }
  return "";
}

StateSchema keyed_join(const JoinConfig& config, const char* name, const char* form) {
  StateSchema state;
  state.name = name;
  state.form = form;
  state.rules = {{"type", join_type_name(config.type)}};
  state.key = {key_field(*config.inputs[0], config.keys[0])};
  return state;
}

}  // namespace

std::vector<StateSchema> join_states(const JoinConfig& config) {
  const auto rows = [&](int side, const char* name) { return list_field(name, join_row_fields(*config.inputs[side])); };
  switch (config.kind) {
    case JoinKind::kRegular: {
      StateSchema state = keyed_join(config, "regular", "regular join");
      state.value = {rows(0, "left"), rows(1, "right")};
      return {std::move(state), progress_schema("regular_progress")};
    }
    case JoinKind::kInterval: {
      StateSchema state = keyed_join(config, "interval", "interval join");
      state.rules.emplace_back("from", format_duration(config.from_ms));
      state.rules.emplace_back("to", format_duration(config.to_ms));
      state.value = {rows(0, "left"), rows(1, "right")};
      return {std::move(state), progress_schema("interval_progress")};
    }
    case JoinKind::kWindow: {
      StateSchema state = keyed_join(config, "window_join", "window join");
      state.key[0].form = StateForm::kKeyAlone;  // rows with a NULL in the key
      state.rules.emplace_back("size", format_duration(config.size_ms));
      state.rules.emplace_back("slide", format_duration(config.slide_ms));
      state.rules.emplace_back("offset", format_duration(config.offset_ms));
      state.value = {
          list_field("windows", {state_field("window_end", StateForm::kTime), rows(0, "left"), rows(1, "right")})};
      return {std::move(state), progress_schema("window_join_progress")};
    }
    case JoinKind::kTemporal: {
      StateSchema state = keyed_join(config, "temporal", "temporal join");
      std::vector<StateField> version = {state_field("deleted", StateForm::kFlag)};
      for (StateField& field : join_row_fields(*config.inputs[1])) version.push_back(std::move(field));
      state.value = {rows(0, "waiting"), list_field("versions", std::move(version))};
      return {std::move(state), progress_schema("temporal_progress")};
    }
    case JoinKind::kLookup: {
      StateSchema state;
      state.name = "lookup_waiting";
      state.kind = StateKind::kSubtask;
      state.form = "look-up";
      state.key = {state_field("number", StateForm::kRest)};
      state.value = {state_field("null_key", StateForm::kFlag), state_field("key", StateForm::kBytes)};
      for (StateField& field : join_row_fields(*config.inputs[0])) state.value.push_back(std::move(field));
      return {std::move(state)};
    }
  }
  return {};
}

}  // namespace millrace
