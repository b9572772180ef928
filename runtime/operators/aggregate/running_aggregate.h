// The two operators behind `aggregate:`. State: one row per key, the number of its rows before the accumulators, so
// that a key whose rows were all taken back disappears. A result carries the greatest event time of the rows behind it.
#pragma once

#include <memory>

#include "runtime/operators/window/config.h"
#include "runtime/spi/operator.h"

namespace millrace {

struct RunningConfig final : OperatorConfig {
  /// Keys, calls, results, having and output as those of a global window.
  std::shared_ptr<const WindowConfig> window;
  bool append = false;
  bool history = false;  // keeps the rows, because the input takes some back and not every aggregate can
  int64_t ttl_ms = 0;    // 0: for ever
};

Result<OperatorPtr> make_running_aggregate(const std::shared_ptr<const RunningConfig>& config, const Node& node);

}  // namespace millrace
