#include "connectors/text/column_target.h"

#include <charconv>
#include <cmath>
#include <limits>

#include "connectors/text/base64.h"
#include "data/datetime.h"
#include "data/decimal.h"
#include "data/number_text.h"

namespace millrace {
namespace {

Conversion conversion_of(TypeKind kind) {
  switch (kind) {
    case TypeKind::kBoolean:
      return Conversion::kBool;
    case TypeKind::kTinyInt:
    case TypeKind::kSmallInt:
    case TypeKind::kInt:
    case TypeKind::kIntervalMonths:
      return Conversion::kInt32;
    case TypeKind::kBigInt:
    case TypeKind::kIntervalMillis:
      return Conversion::kInt64;
    case TypeKind::kFloat:
      return Conversion::kFloat;
    case TypeKind::kDouble:
      return Conversion::kDouble;
    case TypeKind::kDecimal:
      return Conversion::kDecimal;
    case TypeKind::kChar:
    case TypeKind::kVarchar:
      return Conversion::kString;
    case TypeKind::kBytes:
      return Conversion::kBytes;
    case TypeKind::kDate:
      return Conversion::kDate;
    case TypeKind::kTime:
      return Conversion::kTime;
    case TypeKind::kTimestamp:
    case TypeKind::kTimestampLtz:
      return Conversion::kTimestamp;
    case TypeKind::kVariant:
      return Conversion::kVariant;
    case TypeKind::kArray:
      return Conversion::kArray;
    case TypeKind::kMap:
      return Conversion::kMap;
    case TypeKind::kRow:
      return Conversion::kRow;
    case TypeKind::kNull:
      return Conversion::kNone;
  }
  return Conversion::kNone;
}

Result<TimeForm> time_form_of(std::string_view format) {
  if (format.empty()) return TimeForm::kAny;
  if (format == "epoch_millis") return TimeForm::kEpochMillis;
  if (format == "epoch_seconds") return TimeForm::kEpochSeconds;
  if (format == "iso8601") return TimeForm::kIso8601;
  return TimeForm::kPattern;
}

bool equals_ignoring_case(std::string_view a, std::string_view lower) {
  if (a.size() != lower.size()) return false;
  for (size_t i = 0; i < a.size(); ++i) {
    const char c = a[i] >= 'A' && a[i] <= 'Z' ? static_cast<char>(a[i] + 32) : a[i];
    if (c != lower[i]) return false;
  }
  return true;
}

/// A decimal number scaled by 10^`scale` as an integer; digits below are an error unless `truncate`.
TextOutcome scaled_from_text(std::string_view text, int scale, bool truncate, int64_t& out) {
  int128 value = 0;
  const DecimalParse parsed = decimal_parse(text, kDecimalPrecisionMax, 18, value);
  if (parsed == DecimalParse::kMalformed) return TextOutcome::kMalformed;
  if (parsed == DecimalParse::kOverflow) return TextOutcome::kOutOfRange;
  const int128 unit = decimal_power10(18 - scale);
  if (value % unit != 0 && !truncate) return TextOutcome::kFraction;
  int128 whole = value / unit;
  if (value % unit < 0) whole -= 1;  // floored, also before 1970
  if (whole < std::numeric_limits<int64_t>::min() || whole > std::numeric_limits<int64_t>::max())
    return TextOutcome::kOutOfRange;
  out = static_cast<int64_t>(whole);
  return TextOutcome::kOk;
}

/// Up to 18 characters with at most `scale` of them behind the point: the usual case, in 64 bits.
bool decimal_from_short_text(std::string_view text, int scale, int64_t& out) {
  size_t i = text.front() == '-' ? 1 : 0;
  if (text.size() - i > 18 || text.size() == i) return false;
  int64_t value = 0;
  int fraction = -1;  // digits behind the point
  int digits = 0;
  for (; i < text.size(); ++i) {
    const char c = text[i];
    if (c >= '0' && c <= '9') {
      value = value * 10 + (c - '0');
      ++digits;
      if (fraction >= 0) ++fraction;
    } else if (c == '.' && fraction < 0 && digits > 0) {
      fraction = 0;
    } else {
      return false;
    }
  }
  const int missing = scale - std::max(fraction, 0);
  if (fraction == 0 || missing < 0 || digits + missing > 18) return false;
  static constexpr int64_t kPowers[] = {1,
                                        10,
                                        100,
                                        1000,
                                        10000,
                                        100000,
                                        1000000,
                                        10000000,
                                        100000000,
                                        1000000000,
                                        10000000000,
                                        100000000000,
                                        1000000000000,
                                        10000000000000,
                                        100000000000000,
                                        1000000000000000,
                                        10000000000000000,
                                        100000000000000000,
                                        1000000000000000000};
  value *= kPowers[missing];
  out = text.front() == '-' ? -value : value;
  return true;
}

template <class T>
TextOutcome number_from_text(std::string_view text, T& out) {
  const char* first = text.data();
  if (!text.empty() && *first == '+') ++first;
  const auto [end, error] = std::from_chars(first, text.data() + text.size(), out);
  if (error == std::errc::result_out_of_range) {
    // Too small is zero, too large has no value.
    const std::optional<double> wide = parse_double(text);
    if (!wide || std::isinf(*wide) || std::abs(*wide) > 1) return TextOutcome::kOutOfRange;
    out = static_cast<T>(*wide);
    return TextOutcome::kOk;
  }
  if (error == std::errc{} && end == text.data() + text.size() && std::isfinite(out)) return TextOutcome::kOk;
  const std::optional<double> other = parse_double(text);  // NaN, Infinity
  if (!other) return TextOutcome::kMalformed;
  out = static_cast<T>(*other);
  if (std::isinf(out) && !std::isinf(*other)) return TextOutcome::kOutOfRange;
  return TextOutcome::kOk;
}

}  // namespace

TextOutcome integer_from_text(std::string_view text, int64_t& out) {
  const char* first = text.data();
  const char* last = text.data() + text.size();
  if (first != last && *first == '+') ++first;
  const auto [end, error] = std::from_chars(first, last, out);
  if (end == last && error == std::errc{}) return TextOutcome::kOk;
  if (end == last && error == std::errc::result_out_of_range) return TextOutcome::kOutOfRange;
  const TextOutcome outcome = scaled_from_text(text, 0, false, out);
  if (outcome != TextOutcome::kOk || out != 0) return outcome;
  // A tiny number rounds to zero in 18 digits: only a mantissa of zeros is zero.
  for (const char c : text) {
    if (c == 'e' || c == 'E') break;
    if (c >= '1' && c <= '9') return TextOutcome::kFraction;
  }
  return TextOutcome::kOk;
}

Result<ColumnTarget> ColumnTarget::make(const TypePtr& type, std::string_view time_format) {
  ColumnTarget target;
  target.type_ = type;
  target.conversion_ = conversion_of(type->kind);
  MR_ASSIGN(target.form_, time_form_of(time_format));
  if (target.form_ == TimeForm::kPattern) {
    MR_ASSIGN(TimePattern pattern, TimePattern::compile(time_format));
    target.pattern_.push_back(std::move(pattern));
  }
  if (type->kind == TypeKind::kTinyInt) target.min_ = -128, target.max_ = 127;
  if (type->kind == TypeKind::kSmallInt) target.min_ = -32768, target.max_ = 32767;
  if (type->kind == TypeKind::kInt || type->kind == TypeKind::kIntervalMonths)
    target.min_ = std::numeric_limits<int32_t>::min(), target.max_ = std::numeric_limits<int32_t>::max();
  target.takes_integers_ = target.conversion_ == Conversion::kInt32 || target.conversion_ == Conversion::kInt64 ||
                           (target.conversion_ == Conversion::kTimestamp &&
                            (target.form_ == TimeForm::kAny || target.form_ == TimeForm::kEpochMillis));
  return target;
}

void ColumnTarget::attach(Column& column, uint32_t rows) {
  column_ = &column;
  column.resize(rows);
  capacity_ = rows;
  values_ = column.values<char>();
  nulls_ = column.has_nulls() ? column.mutable_nulls() : nullptr;
}

void ColumnTarget::grow(uint32_t row) { attach(*column_, std::max(row + 1, capacity_ * 2)); }

void ColumnTarget::set_null(uint32_t row) {
  column_->set_null(row);
  nulls_ = column_->mutable_nulls();
}

TextOutcome ColumnTarget::set_bool(uint32_t row, bool value) {
  if (conversion_ != Conversion::kBool) return TextOutcome::kMalformed;
  put<uint8_t>(row, value ? 1 : 0);
  return TextOutcome::kOk;
}

TextOutcome ColumnTarget::set_decimal(uint32_t row, std::string_view text) {
  int64_t small = 0;
  if (!text.empty() && decimal_from_short_text(text, type_->scale, small) && decimal_fits(small, type_->precision)) {
    put<int128>(row, small);
    return TextOutcome::kOk;
  }
  int128 value = 0;
  switch (decimal_parse(text, type_->precision, type_->scale, value)) {
    case DecimalParse::kOk:
      put<int128>(row, value);
      return TextOutcome::kOk;
    case DecimalParse::kOverflow:
      return TextOutcome::kOutOfRange;
    case DecimalParse::kMalformed:
      return TextOutcome::kMalformed;
  }
  return TextOutcome::kMalformed;
}

TextOutcome ColumnTarget::set_millis(uint32_t row, int64_t millis) {
  if (conversion_ == Conversion::kDate) {
    put<int32_t>(row, static_cast<int32_t>(floor_div(millis, kMillisPerDay)));
  } else if (conversion_ == Conversion::kTime) {
    put<int32_t>(row, static_cast<int32_t>(floor_mod(millis, kMillisPerDay)));
  } else {
    put<int64_t>(row, millis);
  }
  return TextOutcome::kOk;
}

TextOutcome ColumnTarget::set_time(uint32_t row, std::string_view text, bool number) {
  if (form_ == TimeForm::kPattern) {
    const std::optional<int64_t> millis = pattern_[0].parse(text);
    return millis ? set_millis(row, *millis) : TextOutcome::kMalformed;
  }
  const bool epoch = form_ == TimeForm::kEpochMillis || form_ == TimeForm::kEpochSeconds;
  if (epoch || (number && form_ == TimeForm::kAny && conversion_ == Conversion::kTimestamp)) {
    int64_t millis = 0;
    const TextOutcome outcome = form_ == TimeForm::kEpochSeconds ? scaled_from_text(text, 3, true, millis)
                                                                 : scaled_from_text(text, 0, true, millis);
    return outcome == TextOutcome::kOk ? set_millis(row, millis) : outcome;
  }
  if (number) return TextOutcome::kMalformed;
  if (conversion_ == Conversion::kTimestamp) {
    const std::optional<int64_t> millis = parse_iso_millis(text);
    return millis ? set_millis(row, *millis) : TextOutcome::kMalformed;
  }
  const std::optional<int32_t> value = conversion_ == Conversion::kDate ? parse_date(text) : parse_time(text);
  if (!value) return TextOutcome::kMalformed;
  put<int32_t>(row, *value);
  return TextOutcome::kOk;
}

TextOutcome ColumnTarget::set_base64(uint32_t row, std::string_view text, Arena& arena) {
  std::string bytes;
  if (!decode_base64(text, bytes)) return TextOutcome::kMalformed;
  put<StringRef>(row, arena.copy(bytes));
  return TextOutcome::kOk;
}

TextOutcome ColumnTarget::set_text(uint32_t row, std::string_view text, Arena& arena) {
  switch (conversion_) {
    case Conversion::kString:
      put<StringRef>(row, StringRef(text));
      return TextOutcome::kOk;
    case Conversion::kBytes:
      return set_base64(row, text, arena);
    default:
      break;
  }
  text = trim_blanks(text);
  switch (conversion_) {
    case Conversion::kBool:
      if (equals_ignoring_case(text, "true")) return set_bool(row, true);
      if (equals_ignoring_case(text, "false")) return set_bool(row, false);
      return TextOutcome::kMalformed;
    case Conversion::kDate:
    case Conversion::kTime:
    case Conversion::kTimestamp:
      return set_time(row, text, false);
    default:
      return set_number(row, text);
  }
}

TextOutcome ColumnTarget::set_number(uint32_t row, std::string_view number) {
  switch (conversion_) {
    case Conversion::kInt32:
    case Conversion::kInt64: {
      int64_t value = 0;
      const TextOutcome outcome = integer_from_text(number, value);
      return outcome == TextOutcome::kOk ? set_integer(row, value) : outcome;
    }
    case Conversion::kFloat: {
      float value = 0;
      const TextOutcome outcome = number_from_text(number, value);
      if (outcome == TextOutcome::kOk) put<float>(row, value);
      return outcome;
    }
    case Conversion::kDouble: {
      double value = 0;
      const TextOutcome outcome = number_from_text(number, value);
      if (outcome == TextOutcome::kOk) put<double>(row, value);
      return outcome;
    }
    case Conversion::kDecimal:
      return set_decimal(row, number);
    case Conversion::kString:
      put<StringRef>(row, StringRef(number));
      return TextOutcome::kOk;
    case Conversion::kDate:
    case Conversion::kTime:
    case Conversion::kTimestamp:
      return set_time(row, number, true);
    default:
      return TextOutcome::kMalformed;
  }
}

std::string ColumnTarget::explain(TextOutcome outcome, std::string_view text) const {
  constexpr size_t kShownMax = 60;
  std::string shown(text.substr(0, kShownMax));
  if (text.size() > kShownMax) {
    while (!shown.empty() && (static_cast<uint8_t>(shown.back()) & 0x80) != 0) shown.pop_back();  // no half characters
    shown += "…";
  }
  switch (outcome) {
    case TextOutcome::kOutOfRange:
      return shown + " is out of range for " + type_->to_string();
    case TextOutcome::kFraction:
      return shown + " has a fraction, but the type is " + type_->to_string();
    default:
      return "'" + shown + "' is not a " + type_->to_string();
  }
}

}  // namespace millrace
