// CAST and TRY_CAST of all pairs of types, over rows of a column. Overflow, malformed text and losing digits of an
// integer part are errors (NULL with TRY_CAST); DECIMAL rounds half up, integers truncate toward zero. Any thread.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "data/column.h"
#include "data/types.h"
#include "runtime/spi/function.h"

namespace millrace {

struct CastRows {
  const Column& from;
  const DataType& from_type;
  const DataType& to_type;
  std::span<const uint32_t> rows;  // none NULL, except for nested types
  Column& out;
  Arena& arena;
  RowErrors* errors;  // null: TRY_CAST

  void fail(uint32_t row, std::string message) const {
    if (errors != nullptr) errors->add(row, std::move(message));
    out.set_null(row);
  }
};

/// Whether the values stay as they are, so that the column itself is the answer.
bool cast_keeps_column(const DataType& from, const DataType& to);

/// REQUIRES: cast_support(from, to) is kYes.
void cast_rows(const CastRows& cast);

/// The text that CAST AS STRING gives (without padding or truncation); of NULL inside nested values "NULL".
void append_cast_text(std::string& out, const DataType& type, const Column& column, uint32_t row);

// Internal parts, one per target.
void cast_to_text(const CastRows& cast);
void cast_from_text(const CastRows& cast);
void cast_numbers(const CastRows& cast);
void cast_times(const CastRows& cast);
void cast_nested(const CastRows& cast);

}  // namespace millrace
