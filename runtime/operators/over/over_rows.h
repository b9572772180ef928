// What `over:` was bound to, and the operator behind it.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "plan/job_graph.h"
#include "runtime/spi/operator.h"

namespace millrace {

enum class OverFrame : uint8_t { kRows, kAllRows, kRange, kAllRange, kLag };

struct OverLag {
  TypedExprPtr value;
  TypedExprPtr otherwise;  // where no such row exists; of the value's type
  int64_t offset = 1;
};

struct OverConfig final : OperatorConfig {
  SchemaPtr input;
  SchemaPtr output;  // the input's columns and the results
  std::vector<uint32_t> keys;
  OverFrame frame = OverFrame::kRows;
  int64_t preceding = 0;  // rows, or ms
  std::vector<AggregateCall> calls;
  std::vector<TypedExprPtr> results;  // scope: the input's columns, then the calls
  std::vector<OverLag> lags;          // kLag: instead of calls and results
  [[nodiscard]] bool keeps_totals() const { return frame == OverFrame::kAllRows || frame == OverFrame::kAllRange; }
};

Result<OperatorPtr> make_over(std::shared_ptr<const OverConfig> config);

}  // namespace millrace
