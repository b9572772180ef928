// Global windows: one window per key that never ends; its trigger decides when it fires: after a number of rows, a time
// after the first row since the last firing, any or all of these. A firing empties the window unless `purge: false`.
// Results carry the event time of the row or timer that fired them.
#pragma once

#include <memory>

#include "runtime/operators/window/config.h"
#include "runtime/spi/operator.h"

namespace millrace {

Result<OperatorPtr> make_global_operator(std::shared_ptr<const WindowConfig> config, const Node& node);

}  // namespace millrace
