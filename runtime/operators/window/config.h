// A window step after binding: what the factory and the operators need. Immutable; shared by all subtasks.
#pragma once

#include <string>
#include <vector>

#include "plan/job_graph.h"
#include "runtime/operators/window/geometry.h"
#include "runtime/operators/window/trigger.h"

namespace millrace {

struct WindowSpec {
  WindowKind kind = WindowKind::kTumbling;
  int64_t size_ms = 0;
  int64_t slide_ms = 0;  // sliding: slide; cumulating: step; tumbling: size
  int64_t offset_ms = 0;
  int64_t allowed_lateness_ms = 0;
  bool processing_time = false;
  bool purge = false;          // every firing empties the window
  int64_t gap_ms = 0;          // session; 0 with gap expression
  TypedExprPtr gap;            // session: per row, in ms (INTERVAL or an integer)
  int64_t early_every_ms = 0;  // results before the end; 0: none
  int64_t count_size = 0;      // count windows: rows
  int64_t count_slide = 0;
  WindowTrigger trigger;  // of global windows; elsewhere instead of the window's end
  /// One accumulator per key and window, not one per slice.
  [[nodiscard]] bool per_window() const {
    return kind == WindowKind::kSession || early_every_ms > 0 || trigger.asked_for() ||
           (purge && kind != WindowKind::kTumbling);
  }
  [[nodiscard]] bool has_bounds() const { return kind != WindowKind::kCount && kind != WindowKind::kGlobal; }
};

struct WindowConfig final : OperatorConfig {
  WindowSpec spec;
  SchemaPtr input;
  std::vector<uint32_t> keys;  // columns of the input
  std::vector<TypePtr> key_types;
  std::vector<AggregateCall> calls;   // of all entries, then those of `having`
  size_t result_calls = 0;            // how many of them belong to entries
  std::vector<TypedExprPtr> results;  // scope: keys, window_start, window_end, results of calls[0, result_calls)
  TypedExprPtr having;                // scope: the output columns, then calls[result_calls, ..); may be null
  SchemaPtr output;                   // keys, window_start, window_end, entries
  SchemaPtr partials;                 // partial rows that may arrive at input 1; null: never
};

}  // namespace millrace
