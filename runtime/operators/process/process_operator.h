// The operator behind `process:`.
#pragma once

#include <memory>

#include "runtime/operators/process/config.h"
#include "runtime/spi/operator.h"

namespace millrace {

Result<OperatorPtr> make_process(std::shared_ptr<const ProcessConfig> config, const Node& node);

}  // namespace millrace
