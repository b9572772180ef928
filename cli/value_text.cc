#include "cli/value_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "data/number_text.h"
#include "runtime/expr/cast.h"

namespace millrace {

namespace {

void append_base64(std::string& out, std::string_view bytes) {
  static constexpr std::string_view kDigits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  for (size_t i = 0; i < bytes.size(); i += 3) {
    uint32_t group = 0;
    size_t have = std::min<size_t>(3, bytes.size() - i);
    for (size_t k = 0; k < 3; ++k) group = (group << 8) | (k < have ? static_cast<unsigned char>(bytes[i + k]) : 0U);
    for (size_t k = 0; k < 4; ++k) out += k <= have ? kDigits[(group >> (18 - 6 * k)) & 63] : '=';
  }
}

void append_map(std::string& out, const DataType& type, const Column& column, uint32_t row) {
  const Column& entries = *column.children()[0];
  std::vector<std::pair<std::string, uint32_t>> keys;
  for (uint32_t at = column.offsets()[row]; at < column.offsets()[row + 1]; ++at) {
    std::string key;
    append_cast_text(key, *type.children[0], *entries.children()[0], at);
    keys.emplace_back(std::move(key), at);
  }
  std::ranges::sort(keys);
  out += '{';
  for (size_t i = 0; i < keys.size(); ++i) {
    if (i > 0) out += ',';
    append_json_text(out, keys[i].first);
    out += ':';
    append_value_json(out, *type.children[1], *entries.children()[1], keys[i].second);
  }
  out += '}';
}

void append_array(std::string& out, const DataType& type, const Column& column, uint32_t row) {
  out += '[';
  for (uint32_t at = column.offsets()[row]; at < column.offsets()[row + 1]; ++at) {
    if (at > column.offsets()[row]) out += ',';
    append_value_json(out, *type.children[0], *column.children()[0], at);
  }
  out += ']';
}

void append_row(std::string& out, const DataType& type, const Column& column, uint32_t row) {
  out += '{';
  for (size_t i = 0; i < type.children.size(); ++i) {
    if (i > 0) out += ',';
    append_json_text(out, type.field_names[i]);
    out += ':';
    append_value_json(out, *type.children[i], *column.children()[i], row);
  }
  out += '}';
}

}  // namespace

void append_json_text(std::string& out, std::string_view text) {
  out += '"';
  for (char c : text) {
    switch (c) {
      case '"':
        out += "\\\"";
        break;
      case '\\':
        out += "\\\\";
        break;
      case '\b':
        out += "\\b";
        break;
      case '\f':
        out += "\\f";
        break;
      case '\n':
        out += "\\n";
        break;
      case '\r':
        out += "\\r";
        break;
      case '\t':
        out += "\\t";
        break;
      default:
        if (static_cast<unsigned char>(c) < 0x20) {
          out += fmt::format("\\u{:04x}", static_cast<unsigned>(c));
        } else {
          out += c;
        }
    }
  }
  out += '"';
}

void append_value_json(std::string& out, const DataType& type, const Column& column, uint32_t row) {
  using enum TypeKind;
  if (column.is_null(row)) {
    out += "null";
    return;
  }
  switch (type.kind) {
    case kBoolean:
      out += column.values<uint8_t>()[row] != 0 ? "true" : "false";
      break;
    case kTinyInt:
    case kSmallInt:
    case kInt:
    case kIntervalMonths:
      out += std::to_string(column.values<int32_t>()[row]);
      break;
    case kBigInt:
    case kIntervalMillis:
      out += std::to_string(column.values<int64_t>()[row]);
      break;
    case kFloat:
      append_json_float(out, column.values<float>()[row]);
      break;
    case kDouble:
      append_json_double(out, column.values<double>()[row]);
      break;
    case kBytes:
      out += '"';
      append_base64(out, column.values<StringRef>()[row].view());
      out += '"';
      break;
    case kArray:
      append_array(out, type, column, row);
      break;
    case kMap:
      append_map(out, type, column, row);
      break;
    case kRow:
      append_row(out, type, column, row);
      break;
    default: {
      std::string text;
      append_cast_text(text, type, column, row);
      append_json_text(out, text);
    }
  }
}

}  // namespace millrace
