// What `top:` was bound to, and the operator behind it.
#pragma once

#include <memory>
#include <vector>

#include "runtime/operators/order_key.h"
#include "runtime/spi/operator.h"

namespace millrace {

struct TopConfig final : OperatorConfig {
  SchemaPtr input;
  SchemaPtr output;  // the input's columns, window_start and window_end, the rank
  std::vector<uint32_t> keys;
  OrderBy order;
  size_t n = 1;
  bool rank = false;
  bool updating = false;  // the input takes rows back, so rows behind the n-th are kept as well
  int64_t size_ms = 0;    // 0: no window
  int64_t slide_ms = 0;
  int64_t offset_ms = 0;
  [[nodiscard]] bool windowed() const { return size_ms > 0; }
};

Result<OperatorPtr> make_top(std::shared_ptr<const TopConfig> config);

}  // namespace millrace
