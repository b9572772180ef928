// The operators behind `join:`, one per kind.
#pragma once

#include <memory>

#include "runtime/operators/join/config.h"
#include "runtime/spi/lookup.h"
#include "runtime/spi/operator.h"

namespace millrace {

Result<OperatorPtr> make_interval_join(std::shared_ptr<const JoinConfig> config);
Result<OperatorPtr> make_regular_join(std::shared_ptr<const JoinConfig> config);
Result<OperatorPtr> make_window_join(std::shared_ptr<const JoinConfig> config);
Result<OperatorPtr> make_temporal_join(std::shared_ptr<const JoinConfig> config);
Result<OperatorPtr> make_lookup_join(std::shared_ptr<const JoinConfig> config, LookupSourcePtr source);

}  // namespace millrace
