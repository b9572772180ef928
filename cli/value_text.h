// A value of a column as JSON in the form of `millrace eval --json`: times as SQL text with the digits of their type,
// intervals in milliseconds or months, DECIMAL as a string, BYTES as BASE64, MAP as an object, ROW as an object.
#pragma once

#include <string>

#include "data/column.h"
#include "data/types.h"

namespace millrace {

void append_value_json(std::string& out, const DataType& type, const Column& column, uint32_t row);
void append_json_text(std::string& out, std::string_view text);

}  // namespace millrace
