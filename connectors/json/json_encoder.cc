#include "connectors/json/json_encoder.h"

#include <emmintrin.h>

#include <algorithm>
#include <bit>
#include <charconv>

#include "connectors/text/base64.h"
#include "data/datetime.h"
#include "data/decimal.h"
#include "data/number_text.h"

namespace millrace {
namespace {

void append_integer(std::string& out, int64_t value) {
  char buffer[20];
  const auto end = std::to_chars(buffer, buffer + sizeof buffer, value).ptr;
  out.append(buffer, static_cast<size_t>(end - buffer));
}

void append_escaped(std::string& out, char c) {
  switch (c) {
    case '"':
      out += "\\\"";
      return;
    case '\\':
      out += "\\\\";
      return;
    case '\b':
      out += "\\b";
      return;
    case '\f':
      out += "\\f";
      return;
    case '\n':
      out += "\\n";
      return;
    case '\r':
      out += "\\r";
      return;
    case '\t':
      out += "\\t";
      return;
    default:
      break;
  }
  constexpr std::string_view kHex = "0123456789abcdef";
  out += "\\u00";
  out.push_back(kHex[static_cast<uint8_t>(c) >> 4]);
  out.push_back(kHex[static_cast<uint8_t>(c) & 15]);
}

bool needs_escape(char c) { return c == '"' || c == '\\' || static_cast<uint8_t>(c) < 0x20; }

/// Length of the longest prefix that needs no escape.
size_t plain_prefix(std::string_view text) {
  const __m128i quote = _mm_set1_epi8('"');
  const __m128i backslash = _mm_set1_epi8('\\');
  const __m128i control_max = _mm_set1_epi8(0x1f);
  size_t i = 0;
  for (; i + 16 <= text.size(); i += 16) {
    const __m128i chunk = _mm_loadu_si128(reinterpret_cast<const __m128i*>(text.data() + i));
    const __m128i special = _mm_or_si128(_mm_or_si128(_mm_cmpeq_epi8(chunk, quote), _mm_cmpeq_epi8(chunk, backslash)),
                                         _mm_cmpeq_epi8(_mm_min_epu8(chunk, control_max), chunk));
    const auto stops = static_cast<uint32_t>(_mm_movemask_epi8(special));
    if (stops != 0) return i + static_cast<size_t>(std::countr_zero(stops));
  }
  while (i < text.size() && !needs_escape(text[i])) ++i;
  return i;
}

void append_iso_timestamp(std::string& out, int64_t millis, int precision, bool utc) {
  out.push_back('"');
  const size_t start = out.size();
  append_timestamp(out, millis, precision);
  const size_t blank = out.find(' ', start);
  if (blank != std::string::npos) out[blank] = 'T';
  if (utc) out.push_back('Z');
  out.push_back('"');
}

}  // namespace

std::string_view op_text(RowKind kind) {
  switch (kind) {
    case RowKind::kInsert:
      return "+I";
    case RowKind::kUpdateBefore:
      return "-U";
    case RowKind::kUpdateAfter:
      return "+U";
    case RowKind::kDelete:
      return "-D";
  }
  return "+I";
}

void append_json_utf8(std::string& out, std::string_view text) {
  out.push_back('"');
  while (!text.empty()) {
    const size_t plain = plain_prefix(text);
    out.append(text.data(), plain);
    text.remove_prefix(plain);
    if (text.empty()) break;
    append_escaped(out, text.front());
    text.remove_prefix(1);
  }
  out.push_back('"');
}

JsonValueWriter::JsonValueWriter(const DataType& type, const JsonOutOptions& options)
    : kind_(type.kind), precision_(type.precision), scale_(type.scale), options_(options) {
  for (const TypePtr& child : type.children) children_.emplace_back(*child, options);
  for (const std::string& name : type.field_names) {
    std::string key;
    append_json_utf8(key, name);
    field_keys_.push_back(key + ":");
  }
}

void JsonValueWriter::append(const Column& column, uint32_t row, std::string& out) const {
  if (column.is_null(row)) {
    out += "null";
    return;
  }
  switch (kind_) {
    case TypeKind::kArray: {
      out.push_back('[');
      const uint32_t first = column.offsets()[row];
      for (uint32_t i = first; i < column.offsets()[row + 1]; ++i) {
        if (i > first) out.push_back(',');
        children_[0].append(*column.children()[0], i, out);
      }
      out.push_back(']');
      return;
    }
    case TypeKind::kMap:
      append_map(column, row, out);
      return;
    case TypeKind::kRow:
      for (size_t i = 0; i < children_.size(); ++i) {
        out.push_back(i == 0 ? '{' : ',');
        out += field_keys_[i];
        children_[i].append(*column.children()[i], row, out);
      }
      out += children_.empty() ? "{}" : "}";
      return;
    default:
      append_scalar(column, row, out);
  }
}

void JsonValueWriter::append_map(const Column& column, uint32_t row, std::string& out) const {
  const Column& entries = *column.children()[0];
  std::vector<std::pair<std::string, uint32_t>> keys;
  for (uint32_t i = column.offsets()[row]; i < column.offsets()[row + 1]; ++i) {
    std::string key;
    children_[0].append(*entries.children()[0], i, key);
    if (key.empty() || key.front() != '"') key = '"' + key + '"';
    keys.emplace_back(std::move(key), i);
  }
  std::sort(keys.begin(), keys.end());
  out.push_back('{');
  for (size_t i = 0; i < keys.size(); ++i) {
    if (i > 0) out.push_back(',');
    out += keys[i].first;
    out.push_back(':');
    children_[1].append(*entries.children()[1], keys[i].second, out);
  }
  out.push_back('}');
}

void JsonValueWriter::append_scalar(const Column& column, uint32_t row, std::string& out) const {
  switch (kind_) {
    case TypeKind::kBoolean:
      out += column.values<uint8_t>()[row] != 0 ? "true" : "false";
      return;
    case TypeKind::kTinyInt:
    case TypeKind::kSmallInt:
    case TypeKind::kInt:
    case TypeKind::kIntervalMonths:
      append_integer(out, column.values<int32_t>()[row]);
      return;
    case TypeKind::kBigInt:
    case TypeKind::kIntervalMillis:
      append_integer(out, column.values<int64_t>()[row]);
      return;
    case TypeKind::kFloat:
      append_json_float(out, column.values<float>()[row]);
      return;
    case TypeKind::kDouble:
      append_json_double(out, column.values<double>()[row]);
      return;
    case TypeKind::kDecimal:
      if (!options_.decimal_numbers) out.push_back('"');
      decimal_append(out, column.values<int128>()[row], scale_);
      if (!options_.decimal_numbers) out.push_back('"');
      return;
    case TypeKind::kChar:
    case TypeKind::kVarchar:
      append_json_utf8(out, column.values<StringRef>()[row].view());
      return;
    case TypeKind::kBytes:
      out.push_back('"');
      append_base64(out, column.values<StringRef>()[row].view());
      out.push_back('"');
      return;
    case TypeKind::kVariant:
      out += column.values<StringRef>()[row].view();
      return;
    case TypeKind::kDate:
      out.push_back('"');
      append_date(out, column.values<int32_t>()[row]);
      out.push_back('"');
      return;
    case TypeKind::kTime: {
      const int32_t millis = column.values<int32_t>()[row];
      out.push_back('"');
      append_time(out, millis, millis % 1000 != 0 ? 3 : 0);
      out.push_back('"');
      return;
    }
    case TypeKind::kTimestamp:
    case TypeKind::kTimestampLtz: {
      const int64_t millis = column.values<int64_t>()[row];
      if (options_.iso_timestamps) {
        append_iso_timestamp(out, millis, std::min(precision_, 3), kind_ == TypeKind::kTimestampLtz);
      } else {
        append_integer(out, millis);
      }
      return;
    }
    default:
      out += "null";
  }
}

namespace {

class JsonEncoder final : public Encoder {
 public:
  JsonEncoder(const Schema& schema, const JsonOutOptions& options, bool with_op) : with_op_(with_op) {
    for (size_t i = 0; i < schema.size(); ++i) {
      std::string key(i == 0 && !with_op ? "{" : ",");
      append_json_utf8(key, schema.fields[i].name);
      keys_.push_back(key + ":");
      writers_.emplace_back(*schema.fields[i].type, options);
    }
  }

  Status encode(const Batch& batch, std::span<const uint32_t> rows, std::string& bytes,
                std::vector<size_t>& ends) override {
    for (const uint32_t row : rows) {
      if (with_op_) {
        bytes += "{\"op\":\"";
        bytes += op_text(batch.kind(row));
        bytes.push_back('"');
      } else if (writers_.empty()) {
        bytes.push_back('{');
      }
      for (size_t i = 0; i < writers_.size(); ++i) {
        bytes += keys_[i];
        writers_[i].append(*batch.columns[i], row, bytes);
      }
      bytes.push_back('}');
      ends.push_back(bytes.size());
    }
    return {};
  }

 private:
  bool with_op_;
  std::vector<std::string> keys_;
  std::vector<JsonValueWriter> writers_;
};

}  // namespace

EncoderPtr make_json_encoder(const SchemaPtr& schema, const JsonOutOptions& options, bool with_op) {
  return std::make_unique<JsonEncoder>(*schema, options, with_op);
}

}  // namespace millrace
