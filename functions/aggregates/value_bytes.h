// Values of any type as bytes (key format 1), for aggregates that keep whole values: DISTINCT, ARRAY_AGG, FIRST_VALUE
// of a ROW. One object per aggregate; the encoded bytes are valid until the next encode().
#pragma once

#include <span>
#include <vector>

#include "data/key_format.h"

namespace millrace {

class ValueBytes {
 public:
  explicit ValueBytes(std::span<const TypePtr> types);

  /// keys[i] belongs to rows[i]. REQUIRES: rows ascending.
  const EncodedKeys& encode(std::span<const ColumnPtr> args, std::span<const uint32_t> rows);
  /// Appends one row to the columns; false when damaged.
  bool decode(std::string_view bytes, std::span<const std::shared_ptr<Column>> out, Arena& arena) const;
  [[nodiscard]] const std::vector<TypePtr>& types() const { return types_; }

 private:
  std::vector<TypePtr> types_;
  Schema schema_;
  std::vector<uint32_t> all_columns_;
  EncodedKeys keys_;
};

}  // namespace millrace
