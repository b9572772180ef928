#include "connectors/postgres/row_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "connectors/text/utf8.h"
#include "data/datetime.h"
#include "data/decimal.h"
#include "data/number_text.h"

namespace millrace {
namespace {

constexpr uint32_t kNullLength = 0xffffffff;
constexpr int64_t kYear1Ms = -62'135'596'800'000;
constexpr int64_t kYear10000Ms = 253'402'300'800'000;

void put_length(std::string& out, size_t at, uint32_t length) { std::memcpy(out.data() + at, &length, sizeof length); }

size_t characters(std::string_view text) {
  return static_cast<size_t>(std::ranges::count_if(text, [](char c) { return (c & 0xc0) != 0x80; }));
}

using Refusal = std::optional<std::string>;

Refusal check_integer(int64_t value, const std::string& type) {
  const int64_t limit = type == "int2" ? INT16_MAX : type == "int4" ? INT32_MAX : INT64_MAX;
  if (value <= limit && value >= -limit - 1) return std::nullopt;
  return fmt::format("{} does not fit {}", value, type);
}

/// `digits` = digits in front of the point that the column has room for.
Refusal check_numeric(int128 value, int scale, const PgColumn& column) {
  if (column.precision < 0) return std::nullopt;
  int128 rounded = 0;
  const int precision = std::min(column.precision, kDecimalPrecisionMax);
  if (column.scale < 0 || column.precision > kDecimalPrecisionMax) return std::nullopt;  // the server's to decide
  if (decimal_rescale(value, scale, column.scale, precision, rounded)) return std::nullopt;
  return fmt::format("{} does not fit {}", decimal_to_string(value, scale), column.full_type);
}

Refusal append_text(std::string_view text, const PgColumn& column, std::string& out) {
  if (text.find('\0') != std::string_view::npos) return "PostgreSQL stores no text with a zero byte";
  if (!is_valid_utf8(text)) return "it is not valid UTF-8";
  if (column.length >= 0) {
    // Blanks beyond the length are cut by the server, as SQL demands.
    const std::string_view kept = text.substr(0, text.find_last_not_of(' ') + 1);
    if (characters(kept) > static_cast<size_t>(column.length))
      return fmt::format("{} characters do not fit {}", characters(kept), column.full_type);
  }
  if (column.type == "uuid") {
    const auto digits = std::ranges::count_if(text, [](unsigned char c) { return std::isxdigit(c) != 0; });
    if (digits != 32) return fmt::format("`{}` is not a uuid", text);
  }
  out.append(text);
  return std::nullopt;
}

Refusal append_double(double value, const PgColumn& column, std::string& out, bool single) {
  if (!single && column.type == "float4" && std::isfinite(value) &&
      std::fabs(value) > static_cast<double>(std::numeric_limits<float>::max()))
    return fmt::format("{} does not fit real", value);
  if (std::isnan(value)) {
    out += "NaN";
  } else if (std::isinf(value)) {
    out += value < 0 ? "-Infinity" : "Infinity";
  } else if (single) {
    append_java_float(out, static_cast<float>(value));
  } else {
    append_java_double(out, value);
  }
  return std::nullopt;
}

Refusal append_millis(int64_t millis, const PgColumn& column, std::string& out) {
  if (millis < kYear1Ms || millis >= kYear10000Ms) return fmt::format("{} ms is outside the years 1 to 9999", millis);
  append_timestamp(out, millis, 3);
  if (column.type == "timestamptz") out += "+00";
  return std::nullopt;
}

void append_bytes(std::string_view bytes, std::string& out) {
  constexpr const char* kDigits = "0123456789abcdef";
  out += "\\x";
  for (const char c : bytes) {
    out += kDigits[static_cast<unsigned char>(c) >> 4];
    out += kDigits[static_cast<unsigned char>(c) & 15];
  }
}

}  // namespace

PgRowEncoder::PgRowEncoder(SchemaPtr schema, PgTable table) : schema_(std::move(schema)), table_(std::move(table)) {
  for (const Field& field : schema_->fields) json_.emplace_back(*field.type, JsonOutOptions{});
  is_key_.resize(schema_->size());
  for (const uint32_t column : table_.key) is_key_[column] = true;
}

std::optional<std::string> PgRowEncoder::append(const Batch& batch, uint32_t row, std::string& out) const {
  const size_t start = out.size();
  const bool removes = batch.kind(row) == RowKind::kDelete;
  out += removes ? 'D' : 'U';
  for (size_t i = 0; i < schema_->size(); ++i) {
    const Column& column = *batch.columns[i];
    const size_t at = out.size();
    out.append(sizeof(uint32_t), '\0');
    std::optional<std::string> refused;
    if (column.is_null(row)) {
      put_length(out, at, kNullLength);
      if (is_key_[i]) refused = "it is NULL, and a key cannot be";
      if (table_.columns[i].not_null && !removes) refused = "it is NULL, and the column is NOT NULL";
    } else if (removes && !is_key_[i]) {
      put_length(out, at, kNullLength);  // a deletion needs the key only
    } else {
      refused = append_value(i, column, row, out);
      const PgColumn& target = table_.columns[i];
      const size_t length = out.size() - at - sizeof(uint32_t);
      if (!refused && target.length >= 0 && !schema_->fields[i].type->is_text() &&
          length > static_cast<size_t>(target.length))
        refused = fmt::format("{} characters do not fit {}", length, target.full_type);
      put_length(out, at, static_cast<uint32_t>(out.size() - at - sizeof(uint32_t)));
    }
    if (refused) {
      out.resize(start);
      return fmt::format("{}.{}: {}", table_.write.table, table_.columns[i].name, *refused);
    }
  }
  return std::nullopt;
}

std::optional<std::string> PgRowEncoder::append_value(size_t i, const Column& column, uint32_t row,
                                                      std::string& out) const {
  const PgColumn& target = table_.columns[i];
  const DataType& type = *schema_->fields[i].type;
  switch (type.kind) {
    case TypeKind::kBoolean:
      out += column.values<uint8_t>()[row] != 0 ? "true" : "false";
      return std::nullopt;
    case TypeKind::kTinyInt:
    case TypeKind::kSmallInt:
    case TypeKind::kInt:
    case TypeKind::kBigInt: {
      const int64_t value =
          column.type() == PhysicalType::kInt64 ? column.values<int64_t>()[row] : column.values<int32_t>()[row];
      out += std::to_string(value);
      return target.type == "numeric" ? check_numeric(value, 0, target) : check_integer(value, target.type);
    }
    case TypeKind::kFloat:
      return append_double(static_cast<double>(column.values<float>()[row]), target, out, true);
    case TypeKind::kDouble:
      return append_double(column.values<double>()[row], target, out, false);
    case TypeKind::kDecimal: {
      const int128 value = column.values<int128>()[row];
      decimal_append(out, value, type.scale);
      return target.type == "numeric" ? check_numeric(value, type.scale, target) : std::nullopt;
    }
    case TypeKind::kChar:
    case TypeKind::kVarchar:
      return append_text(column.values<StringRef>()[row].view(), target, out);
    case TypeKind::kBytes:
      append_bytes(column.values<StringRef>()[row].view(), out);
      return std::nullopt;
    case TypeKind::kDate:
      if (const int64_t days = column.values<int32_t>()[row];
          days * kMillisPerDay < kYear1Ms || days * kMillisPerDay >= kYear10000Ms)
        return fmt::format("day {} is outside the years 1 to 9999", days);
      append_date(out, column.values<int32_t>()[row]);
      return std::nullopt;
    case TypeKind::kTime:
      append_time(out, column.values<int32_t>()[row], 3);
      return std::nullopt;
    case TypeKind::kTimestamp:
    case TypeKind::kTimestampLtz:
      return append_millis(column.values<int64_t>()[row], target, out);
    case TypeKind::kIntervalMillis:
      out += std::to_string(column.values<int64_t>()[row]) + " milliseconds";
      return std::nullopt;
    case TypeKind::kIntervalMonths:
      out += std::to_string(column.type() == PhysicalType::kInt64 ? column.values<int64_t>()[row]
                                                                  : column.values<int32_t>()[row]) +
             " months";
      return std::nullopt;
    default:
      json_[i].append(column, row, out);
      return std::nullopt;
  }
}

bool read_pg_row(std::string_view bytes, size_t columns, PgRow& row) {
  row.values.clear();
  if (bytes.empty()) return false;
  row.removes = bytes[0] == 'D';
  bytes.remove_prefix(1);
  for (size_t i = 0; i < columns; ++i) {
    uint32_t length = 0;
    if (bytes.size() < sizeof length) return false;
    std::memcpy(&length, bytes.data(), sizeof length);
    bytes.remove_prefix(sizeof length);
    if (length == kNullLength) {
      row.values.emplace_back();
      continue;
    }
    if (bytes.size() < length) return false;
    row.values.emplace_back(bytes.substr(0, length));
    bytes.remove_prefix(length);
  }
  return bytes.empty();
}

}  // namespace millrace
