// What `pattern:` was bound to. Conditions and measures see one row of references: values of rows of the match
// (LAST(UP.price, 1)) and aggregates over them. Immutable; shared by all subtasks.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "plan/job_graph.h"

namespace millrace {

/// A variable of `match:` with its quantifier.
struct PatternElement {
  std::string name;
  uint32_t min = 1;
  uint32_t max = 1;
  bool greedy = true;
  int32_t condition = -1;  // in PatternConfig::expressions; -1: every row
  [[nodiscard]] bool varies() const { return min != max; }
};

struct PatternReference {
  enum class Kind : uint8_t { kFirst, kLast, kAggregate };
  Kind kind = Kind::kLast;
  int32_t element = -1;  // -1: all rows of the match
  uint32_t offset = 0;   // rows before the last, or behind the first
  TypedExprPtr value;    // kFirst, kLast: over the input
  AggregateCall call;    // kAggregate: over the input
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
  std::vector<PatternElement> elements;
  std::vector<PatternExpression> expressions;  // conditions
  std::vector<PatternExpression> measures;
  int64_t within_ms = 0;  // 0: no limit
  AfterMatch after = AfterMatch::kPastLastRow;
  uint32_t after_element = 0;
  std::string text;  // part of the state's layout
};

}  // namespace millrace
