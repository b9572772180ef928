// The operator behind `pattern:`.
#pragma once

#include <memory>

#include "runtime/operators/pattern/config.h"
#include "runtime/spi/operator.h"

namespace millrace {

Result<OperatorPtr> make_pattern(std::shared_ptr<const PatternConfig> config);

}  // namespace millrace
