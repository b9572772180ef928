// What `process:` was bound to: states, expressions and the two programs. Expressions see one row: the input's columns
// (in timers only the keys), then the states, then the items of loops. Immutable; shared by all subtasks.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "plan/job_graph.h"

namespace millrace {

struct ProcessState {
  std::string name;
  TypePtr type;
  int32_t otherwise = -1;  // expression of the default value; -1: NULL (a map: empty)
  int64_t ttl_ms = 0;      // 0: for ever
  bool ttl_event_time = false;
  [[nodiscard]] bool is_map() const { return type->kind == TypeKind::kMap; }
};

enum class ActionKind : uint8_t { kIf, kSet, kSetEntry, kClear, kClearEntry, kEmit, kTimer, kCancelTimer, kForEach };

struct ProcessAction {
  ActionKind kind = ActionKind::kIf;
  uint32_t target = 0;                   // a state, a port, a timer's name or a loop's item
  bool processing_time = false;          // timers
  int32_t value = -1;                    // condition, value, list, time of the timer; -1: none
  int32_t map_key = -1;                  // of an entry
  std::vector<uint32_t> columns;         // kEmit
  std::vector<ProcessAction> actions;    // kIf, kForEach
  std::vector<ProcessAction> otherwise;  // kIf
};

struct ProcessConfig final : OperatorConfig {
  SchemaPtr input;
  std::vector<uint32_t> keys;
  std::vector<TypePtr> key_types;
  std::vector<ProcessState> states;
  std::vector<TypePtr> items;  // of loops, outermost first
  std::vector<TypedExprPtr> expressions;
  std::vector<std::string> timers;  // names
  std::vector<ProcessAction> on_event;
  std::vector<std::vector<ProcessAction>> on_timer;  // per name
  std::vector<SchemaPtr> outputs;                    // per port
};

}  // namespace millrace
