// Between DATE, TIME, TIMESTAMP and TIMESTAMP_LTZ (UTC).
#include "data/datetime.h"
#include "runtime/expr/cast.h"
#include "runtime/spi/kernel.h"

namespace millrace {

namespace {

/// Cuts the digits of a second that a precision below 3 does not have.
int64_t cut_millis(int64_t millis, int precision) {
  static constexpr int64_t kUnits[] = {1000, 100, 10};
  if (precision >= 3) return millis;
  int64_t unit = kUnits[precision < 0 ? 0 : precision];
  return floor_div(millis, unit) * unit;
}

}  // namespace

void cast_times(const CastRows& cast) {
  IntegerReader from(cast.from, false);
  const TypeKind source = cast.from_type.kind;
  const int precision = cast.to_type.precision;
  for (uint32_t row : cast.rows) {
    int64_t value = from[row];
    int64_t millis = source == TypeKind::kDate ? value * kMillisPerDay : value;
    switch (cast.to_type.kind) {
      case TypeKind::kDate:
        value = floor_div(millis, kMillisPerDay);
        break;
      case TypeKind::kTime:
        value = cut_millis(floor_mod(millis, kMillisPerDay), precision);
        break;
      case TypeKind::kTimestamp:
      case TypeKind::kTimestampLtz:
        value = cut_millis(millis, precision);
        break;
      default:
        break;
    }
    put_integer(cast.out, row, value);
  }
}

}  // namespace millrace
