// Tumbling, sliding and cumulating windows over panes (slices.h), in event or processing time.
//
// Between two calls from the driver every window with end - 1 <= watermark_ has fired; process() never fires one except
// for rows that are late within allowed_lateness: each of them fires its windows again at once, one result per row.
// A pane is dropped when its last window has fired and its lateness is over.
#pragma once

#include <memory>

#include "runtime/operators/window/config.h"
#include "runtime/spi/operator.h"

namespace millrace {

Result<OperatorPtr> make_slice_operator(std::shared_ptr<const WindowConfig> config, const Node& node);

}  // namespace millrace
