// Any aggregate over the distinct values of its arguments: a ValueSet in front of the aggregate's own accumulator.
#pragma once

#include <memory>
#include <span>

#include "runtime/spi/aggregate.h"

namespace millrace {

/// Rows with a NULL argument are skipped. Cannot retract.
std::unique_ptr<AggregateFunction> make_distinct(std::span<const TypePtr> types,
                                                 std::unique_ptr<AggregateFunction> inner);

}  // namespace millrace
