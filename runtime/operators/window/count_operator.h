// Count windows: every `slide` rows of a key a result over its last `size` rows (fewer at the start). Rows are
// aggregated into panes of gcd(size, slide) rows, so nothing is kept per row. There is no time: rows are never late,
// and a window short of its number emits nothing at the end. A result carries the event time of the row that completed
// it.
#pragma once

#include <memory>

#include "runtime/operators/window/config.h"
#include "runtime/spi/operator.h"

namespace millrace {

Result<OperatorPtr> make_count_operator(std::shared_ptr<const WindowConfig> config, const Node& node);

}  // namespace millrace
