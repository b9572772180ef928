// One row as bytes and back, for operators that keep whole rows in state (joins, sorts, top, patterns). Lossless for
// every type, unlike keys (data/key_format.h), which fold the zeros and NaNs of DOUBLE. Part of the state format:
//   per column a tag (0 NULL, 1 value), then bool 1, int32/float 4, int64/double 8, int128 16 bytes little endian,
//   text u32 length + bytes, lists u32 count + elements, structs their fields; each element with its own tag.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "data/batch.h"

namespace millrace {

/// Appends physical row `row`. A column that the job never decodes counts as NULL.
void encode_row(const Batch& batch, uint32_t row, std::string& out);

/// Appends the row to `columns` (made by make_column for the same schema); text is copied into `arena`. False: damaged.
bool decode_row(std::string_view bytes, std::span<const std::shared_ptr<Column>> columns, Arena& arena);

/// Appends one NULL.
void append_null(Column& column);

}  // namespace millrace
