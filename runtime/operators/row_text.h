// A row as one JSON object, for error messages and dead letters of steps. Not on any hot path; sinks have encoders of
// their own (connectors/json).
#pragma once

#include <string>

#include "data/batch.h"

namespace millrace {

std::string row_text(const Batch& batch, const Schema& schema, uint32_t row);

}  // namespace millrace
