// A row as one JSON object, for error messages and dead letters of steps. Not on any hot path; sinks have encoders of
// their own (connectors/json).
#pragma once

#include <string>
#include <string_view>

#include "data/batch.h"

namespace millrace {

std::string row_text(const Batch& batch, const Schema& schema, uint32_t row);
/// One value.
void append_value_text(std::string& out, const DataType& type, const Column& column, uint32_t row);
/// A text with quotes.
void append_quoted_text(std::string& out, std::string_view text);

}  // namespace millrace
