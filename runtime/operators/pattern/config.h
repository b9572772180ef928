// What `pattern:` was bound to. Conditions and measures see one row of references: values of rows of the match
// (LAST(UP.price, 1)) and aggregates over them. Immutable; shared by all subtasks.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "plan/job_graph.h"

namespace millrace {

struct PatternVariable {
  std::string name;
  int32_t condition = -1;  // in PatternConfig::expressions; -1: every row
};

/// A step of the program that `match:` becomes. In the order of the text; a row of variables has one step each.
struct PatternStep {
  enum class Kind : uint8_t {
    kRow,   // `min` to `max` rows of `variable`, then `next`
    kFork,  // `next` or `other`; greedy: `other` only for a row that `next` does not take
    kEnd,
  };
  Kind kind = Kind::kRow;
  bool greedy = true;
  bool completes = false;  // kRow: behind it the match is complete
  uint32_t variable = 0;
  uint32_t min = 1;
  uint32_t max = 1;
  uint32_t next = 0;
  uint32_t other = 0;
};

struct PatternReference {
  enum class Kind : uint8_t { kFirst, kLast, kAggregate };
  Kind kind = Kind::kLast;
  int32_t variable = -1;  // -1: all rows of the match
  uint32_t offset = 0;    // rows before the last, or behind the first
  TypedExprPtr value;     // kFirst, kLast: over the input
  AggregateCall call;     // kAggregate: over the input
};

struct PatternExpression {
  std::vector<PatternReference> references;
  TypedExprPtr result;  // over the references
};

enum class AfterMatch : uint8_t { kPastLastRow, kNextRow, kFirst, kLast };

struct PatternConfig final : OperatorConfig {
  SchemaPtr input;
  SchemaPtr output;  // keys, measures
  std::vector<uint32_t> keys;
  std::vector<TypePtr> key_types;
  std::vector<PatternVariable> variables;
  std::vector<PatternStep> program;
  uint32_t begin = 0;                          // its first step
  bool forks = false;                          // several ways through the program may take the same rows
  std::vector<PatternExpression> expressions;  // conditions
  std::vector<PatternExpression> measures;
  int64_t within_ms = 0;  // 0: no limit
  AfterMatch after = AfterMatch::kPastLastRow;
  uint32_t after_variable = 0;
  std::string text;  // part of the state's layout
};

}  // namespace millrace
