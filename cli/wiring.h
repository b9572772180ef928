// The one place that knows the concrete connectors, formats, operators and functions.
#pragma once

#include "runtime/spi/factories.h"

namespace millrace {

/// Fills an empty registry. Called once at the start of the process.
void register_everything(Registry& registry);

}  // namespace millrace
