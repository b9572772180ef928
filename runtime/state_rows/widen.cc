#include "runtime/state_rows/widen.h"

#include "data/row_codec.h"

namespace millrace {

namespace {

template <class T>
void append_value(Column& to, T value) {
  const uint32_t row = to.size();
  to.resize(row + 1);
  to.values<T>()[row] = value;
}

int128 power_of_ten(int digits) {
  int128 power = 1;
  for (int i = 0; i < digits; ++i) power *= 10;
  return power;
}

}  // namespace

void append_widened(const Column& from, const DataType& from_type, Column& to, const DataType& to_type) {
  if (from.is_null(0)) return append_null(to);
  if (from_type.kind == TypeKind::kDecimal && from_type.scale != to_type.scale) {
    return append_value<int128>(to, from.values<int128>()[0] * power_of_ten(to_type.scale - from_type.scale));
  }
  if (from.type() == PhysicalType::kInt32 && to.type() == PhysicalType::kInt64) {
    return append_value<int64_t>(to, from.values<int32_t>()[0]);
  }
  if (from.type() == PhysicalType::kFloat && to.type() == PhysicalType::kDouble) {
    return append_value<double>(to, static_cast<double>(from.values<float>()[0]));
  }
  static constexpr uint32_t kOnlyRow = 0;
  append_rows(from, &kOnlyRow, 1, to, nullptr);
}

}  // namespace millrace
