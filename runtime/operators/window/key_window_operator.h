// Windows that every key has for itself: sessions, which merge, and windows that fire before their end
// (`emit_early_every`). One state row per key and window, with its bounds and its next timer in front of the
// accumulators.
//
// Timers are lazy: a row that moves a session's end leaves the timer where it is; when it comes up too early it is set
// anew. So most rows of a session touch no timer. A timer at or below the watermark fires at the next advance.
#pragma once

#include <memory>

#include "runtime/operators/window/config.h"
#include "runtime/spi/operator.h"

namespace millrace {

Result<OperatorPtr> make_key_window_operator(std::shared_ptr<const WindowConfig> config, const Node& node);

}  // namespace millrace
