// Sums in front of the exchange: with a hot key most rows of a windowed step would go to one subtask. This operator
// sits in the chain of the producer, aggregates rows per pane and key and sends one partial row for all of them.
//
// Nothing else changes: a pane is sent before the first watermark that could fire one of its windows, and before
// barriers and idleness (holds_rows), so it keeps no state across a checkpoint and a partial is late only when its rows
// were. Rows that gain nothing (many keys, few rows each), that fail or whose pane is closed pass as they are. The
// planner puts it there (BoundOperator::partial) for aggregates that do not go by arrival. Belongs to the task's
// thread.
#pragma once

#include <memory>
#include <optional>

#include "plan/registry.h"
#include "runtime/operators/window/config.h"
#include "runtime/spi/operator.h"

namespace millrace {

inline constexpr std::string_view kPartialSums = "window_partial";

/// What bind() of a window step leaves for the planner; nothing when its rows must arrive one by one.
std::optional<PartialStep> bind_partial_sums(const std::shared_ptr<const WindowConfig>& config);

Result<OperatorPtr> make_partial_sums(std::shared_ptr<const WindowConfig> config);

/// Columns of a partial row: the keys, then these.
struct PartialColumns {
  explicit PartialColumns(const WindowConfig& config) : pane(config.keys.size()) {}
  size_t pane;
  [[nodiscard]] size_t rows() const { return pane + 1; }
  [[nodiscard]] size_t state() const { return pane + 2; }
};

}  // namespace millrace
