// CAST to and from text.
#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "data/datetime.h"
#include "data/decimal.h"
#include "data/number_text.h"
#include "runtime/expr/cast.h"
#include "runtime/spi/kernel.h"

namespace millrace {

namespace {

constexpr size_t kPaddedMax = 1024 * 1024;

void append_padded_number(std::string& out, int64_t value, int width) {
  std::string digits = std::to_string(value);
  if (static_cast<int>(digits.size()) < width) out.append(static_cast<size_t>(width) - digits.size(), '0');
  out += digits;
}

void append_interval(std::string& out, TypeKind kind, int64_t value) {
  out += value < 0 ? '-' : '+';
  int64_t size = value < 0 ? -value : value;
  if (kind == TypeKind::kIntervalMonths) {
    out += std::to_string(size / 12);
    out += '-';
    append_padded_number(out, size % 12, 2);
    return;
  }
  out += std::to_string(size / kMillisPerDay);
  out += ' ';
  append_time(out, size % kMillisPerDay, 3);
}

void append_list(std::string& out, const DataType& type, const Column& column, uint32_t row) {
  const Column& child = *column.children()[0];
  bool map = type.kind == TypeKind::kMap;
  out += map ? '{' : '[';
  for (uint32_t at = column.offsets()[row]; at < column.offsets()[row + 1]; ++at) {
    if (at != column.offsets()[row]) out += ", ";
    if (map) {
      append_cast_text(out, *type.children[0], *child.children()[0], at);
      out += '=';
      append_cast_text(out, *type.children[1], *child.children()[1], at);
    } else {
      append_cast_text(out, *type.children[0], child, at);
    }
  }
  out += map ? '}' : ']';
}

/// Integer digits as Flink reads them: a fraction is checked and cut.
std::optional<int64_t> read_integer(std::string_view text) {
  text = trim_blanks(text);
  size_t point = text.find('.');
  if (point != std::string_view::npos) {
    std::string_view fraction = text.substr(point + 1);
    if (!std::all_of(fraction.begin(), fraction.end(), [](char c) { return c >= '0' && c <= '9'; }))
      return std::nullopt;
    text = text.substr(0, point);
    if (text.empty()) return fraction.empty() ? std::nullopt : std::optional<int64_t>(0);
    if (text == "-" || text == "+") return fraction.empty() ? std::nullopt : std::optional<int64_t>(0);
  }
  return parse_int64(text);
}

std::optional<bool> read_boolean(std::string_view text) {
  std::string lower;
  for (char c : trim_blanks(text)) lower += c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  if (lower == "true" || lower == "t" || lower == "yes" || lower == "y" || lower == "1") return true;
  if (lower == "false" || lower == "f" || lower == "no" || lower == "n" || lower == "0") return false;
  return std::nullopt;
}

bool in_integer_range(TypeKind kind, int64_t value) {
  switch (kind) {
    case TypeKind::kTinyInt:
      return value >= INT8_MIN && value <= INT8_MAX;
    case TypeKind::kSmallInt:
      return value >= INT16_MIN && value <= INT16_MAX;
    case TypeKind::kInt:
      return value >= INT32_MIN && value <= INT32_MAX;
    default:
      return true;
  }
}

/// First `count` characters; texts are UTF-8.
std::string_view first_characters(std::string_view text, size_t count) {
  size_t at = 0;
  while (at < text.size() && count > 0) {
    ++at;
    while (at < text.size() && (static_cast<unsigned char>(text[at]) & 0xC0) == 0x80) ++at;
    --count;
  }
  return text.substr(0, at);
}

size_t character_count(std::string_view text) {
  return static_cast<size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }));
}

bool read_time_value(const CastRows& cast, std::string_view text, int64_t& value, std::string& reason) {
  static constexpr int64_t kUnits[] = {1000, 100, 10, 1};
  const int precision = cast.to_type.precision;
  const int64_t unit = kUnits[std::clamp(precision, 0, 3)];
  switch (cast.to_type.kind) {
    case TypeKind::kDate: {
      auto days = parse_date(text);
      if (days) value = *days;
      return days.has_value();
    }
    case TypeKind::kTime: {
      auto millis = parse_time(text);
      if (millis) value = *millis / unit * unit;
      return millis.has_value();
    }
    default: {
      bool sub_millis = false;
      auto millis = parse_timestamp(text, &sub_millis);
      if (!millis) return false;
      if (sub_millis && precision > 3) {
        reason = "digits below the millisecond are not kept";
        return false;
      }
      value = floor_div(*millis, unit) * unit;
      return true;
    }
  }
}

void cast_text_row(const CastRows& cast, uint32_t row, std::string_view text) {
  const DataType& to = cast.to_type;
  std::string reason;
  bool ok = false;
  if (to.is_integer()) {
    auto value = read_integer(text);
    ok = value && in_integer_range(to.kind, *value);
    if (ok) put_integer(cast.out, row, *value);
  } else if (to.kind == TypeKind::kDouble || to.kind == TypeKind::kFloat) {
    auto value = parse_double(trim_blanks(text));
    ok = value.has_value();
    if (ok && to.kind == TypeKind::kDouble) cast.out.values<double>()[row] = *value;
    if (ok && to.kind == TypeKind::kFloat) cast.out.values<float>()[row] = static_cast<float>(*value);
  } else if (to.kind == TypeKind::kDecimal) {
    DecimalParse parsed = decimal_parse(trim_blanks(text), to.precision, to.scale, cast.out.values<int128>()[row]);
    ok = parsed == DecimalParse::kOk;
    if (parsed == DecimalParse::kOverflow) reason = "too many digits";
  } else if (to.kind == TypeKind::kBoolean) {
    auto value = read_boolean(text);
    ok = value.has_value();
    if (ok) cast.out.values<uint8_t>()[row] = *value ? 1 : 0;
  } else {
    int64_t value = 0;
    ok = read_time_value(cast, text, value, reason);
    if (ok) put_integer(cast.out, row, value);
  }
  if (ok) return;
  std::string_view shown = first_characters(text, 60);
  cast.fail(row, fmt::format("'{}{}' cannot be cast to {}{}{}", shown, shown.size() < text.size() ? "…" : "",
                             to.to_string(), reason.empty() ? "" : ": ", reason));
}

}  // namespace

void append_cast_text(std::string& out, const DataType& type, const Column& column, uint32_t row) {
  using enum TypeKind;
  if (column.is_null(row)) {
    out += "NULL";
    return;
  }
  switch (type.kind) {
    case kBoolean:
      out += column.values<uint8_t>()[row] != 0 ? "TRUE" : "FALSE";
      break;
    case kFloat:
      append_java_float(out, column.values<float>()[row]);
      break;
    case kDouble:
      append_java_double(out, column.values<double>()[row]);
      break;
    case kDecimal:
      decimal_append(out, column.values<int128>()[row], type.scale);
      break;
    case kChar:
    case kVarchar:
    case kBytes:
      out += column.values<StringRef>()[row].view();
      break;
    case kArray:
    case kMap:
      append_list(out, type, column, row);
      break;
    case kRow:
      out += '(';
      for (size_t i = 0; i < type.children.size(); ++i) {
        if (i > 0) out += ", ";
        append_cast_text(out, *type.children[i], *column.children()[i], row);
      }
      out += ')';
      break;
    default: {
      int64_t value = IntegerReader(column, false)[row];
      if (type.kind == kDate) {
        append_date(out, value);
      } else if (type.kind == kTime) {
        append_time(out, value, type.precision);
      } else if (type.kind == kTimestamp || type.kind == kTimestampLtz) {
        append_timestamp(out, value, type.precision);
      } else if (type.kind == kIntervalMillis || type.kind == kIntervalMonths) {
        append_interval(out, type.kind, value);
      } else {
        out += std::to_string(value);
      }
    }
  }
}

void cast_to_text(const CastRows& cast) {
  const DataType& to = cast.to_type;
  StringRef* out = cast.out.values<StringRef>();
  bool from_text = cast.from_type.is_text() || cast.from_type.kind == TypeKind::kBytes;
  std::string buffer;
  for (uint32_t row : cast.rows) {
    if (cast.from.is_null(row)) {  // nested sources come with their NULLs
      cast.out.set_null(row);
      continue;
    }
    std::string_view text;
    if (from_text) {
      text = cast.from.values<StringRef>()[row].view();
    } else {
      buffer.clear();
      append_cast_text(buffer, cast.from_type, cast.from, row);
      text = buffer;
    }
    auto limit = static_cast<size_t>(to.precision);
    size_t length = limit < static_cast<size_t>(kStringLengthMax) ? character_count(text) : 0;
    if (length > limit) text = first_characters(text, limit);
    if (to.kind == TypeKind::kChar && limit > kPaddedMax) {
      cast.fail(row, fmt::format("{} would be padded to {} characters", to.to_string(), limit));
    } else if (to.kind == TypeKind::kChar && length < limit) {
      buffer = std::string(text);
      buffer.append(limit - length, ' ');
      text = buffer;
      out[row] = cast.arena.copy(text);
    } else {
      out[row] = from_text ? StringRef(text) : cast.arena.copy(text);
    }
  }
}

void cast_from_text(const CastRows& cast) {
  const auto* texts = cast.from.values<StringRef>();
  for (uint32_t row : cast.rows) cast_text_row(cast, row, texts[row].view());
}

}  // namespace millrace
