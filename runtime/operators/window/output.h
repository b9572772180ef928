// Turns fired accumulators into result rows: keys, window bounds, the expressions over aggregates, `having`. Rows carry
// the event time window_end - 1.
#pragma once

#include <memory>
#include <span>

#include "runtime/operators/aggregate_row.h"
#include "runtime/operators/row_errors.h"
#include "runtime/operators/window/config.h"

namespace millrace {

struct WindowBounds {
  int64_t start = 0;
  int64_t end = 0;
};

class WindowOutput {
 public:
  static Result<std::unique_ptr<WindowOutput>> make(std::shared_ptr<const WindowConfig> config,
                                                    std::shared_ptr<AggregateRow> aggregates, const Node& node);

  void open(const OperatorContext& context);
  /// One row per state; keys[i], bounds[i] and states[i] belong together. Rows that `having` or an error drops are
  /// deselected.
  Result<Batch> build(std::span<const std::string_view> keys, std::span<const char* const> states,
                      std::span<const WindowBounds> bounds, int64_t watermark);
  RowErrorHandler& errors() { return errors_; }

 private:
  WindowOutput(std::shared_ptr<const WindowConfig> config, std::shared_ptr<AggregateRow> aggregates, const Node& node)
      : config_(std::move(config)), aggregates_(std::move(aggregates)), errors_(node) {}
  [[nodiscard]] Status decode_keys(std::span<const std::string_view> keys, Batch& batch, Arena& arena) const;

  std::shared_ptr<const WindowConfig> config_;
  std::shared_ptr<AggregateRow> aggregates_;
  std::unique_ptr<Evaluator> results_;
  std::unique_ptr<Predicate> having_;
  RowErrorHandler errors_;
  RowErrors failed_;
  Clock* clock_ = nullptr;
};

}  // namespace millrace
