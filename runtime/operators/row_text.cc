#include "runtime/operators/row_text.h"

#include <fmt/format.h>

#include "data/datetime.h"
#include "data/decimal.h"
#include "data/number_text.h"

namespace millrace {

namespace {

void append_json_text(std::string& out, std::string_view text) {
  out.push_back('"');
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out.push_back('\\');
      out.push_back(c);
    } else if (byte < 0x20) {
      out.append(fmt::format("\\u{:04x}", byte));
    } else {
      out.push_back(c);
    }
  }
  out.push_back('"');
}

void append_base64(std::string& out, std::string_view bytes) {
  static constexpr char kDigits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  out.push_back('"');
  for (size_t i = 0; i < bytes.size(); i += 3) {
    uint32_t word = 0;
    for (size_t k = 0; k < 3; ++k) {
      word = word << 8 | (i + k < bytes.size() ? static_cast<unsigned char>(bytes[i + k]) : 0U);
    }
    for (size_t k = 0; k < 4; ++k) {
      out.push_back(i + k > bytes.size() ? '=' : kDigits[word >> (18 - 6 * k) & 63U]);
    }
  }
  out.push_back('"');
}

void append_json_value(std::string& out, const DataType& type, const Column& column, uint32_t row);

void append_json_list(std::string& out, const DataType& type, const Column& column, uint32_t row) {
  const bool map = type.kind == TypeKind::kMap;
  out.push_back(map ? '{' : '[');
  const Column& child = *column.children()[0];
  for (uint32_t e = column.offsets()[row]; e < column.offsets()[row + 1]; ++e) {
    if (e > column.offsets()[row]) out.push_back(',');
    if (!map) {
      append_json_value(out, *type.children[0], child, e);
      continue;
    }
    std::string key;
    append_json_value(key, *type.children[0], *child.children()[0], e);
    out.append(key.starts_with('"') ? key : "\"" + key + "\"").push_back(':');
    append_json_value(out, *type.children[1], *child.children()[1], e);
  }
  out.push_back(map ? '}' : ']');
}

void append_json_struct(std::string& out, const DataType& type, const Column& column, uint32_t row) {
  out.push_back('{');
  for (size_t i = 0; i < type.children.size(); ++i) {
    if (i > 0) out.push_back(',');
    append_json_text(out, type.field_names[i]);
    out.push_back(':');
    append_json_value(out, *type.children[i], *column.children()[i], row);
  }
  out.push_back('}');
}

void append_json_value(std::string& out, const DataType& type, const Column& column, uint32_t row) {
  if (column.is_null(row)) {
    out.append("null");
    return;
  }
  switch (column.type()) {
    case PhysicalType::kBool:
      out.append(column.values<uint8_t>()[row] != 0 ? "true" : "false");
      return;
    case PhysicalType::kInt32: {
      const int32_t value = column.values<int32_t>()[row];
      if (type.kind != TypeKind::kDate && type.kind != TypeKind::kTime) {
        out.append(std::to_string(value));
        return;
      }
      out.push_back('"');
      type.kind == TypeKind::kDate ? append_date(out, value) : append_time(out, value, value % 1000 != 0 ? 3 : 0);
      out.push_back('"');
      return;
    }
    case PhysicalType::kInt64:
      out.append(std::to_string(column.values<int64_t>()[row]));
      return;
    case PhysicalType::kFloat:
      append_json_float(out, column.values<float>()[row]);
      return;
    case PhysicalType::kDouble:
      append_json_double(out, column.values<double>()[row]);
      return;
    case PhysicalType::kInt128:
      out.append("\"" + decimal_to_string(column.values<int128>()[row], type.scale) + "\"");
      return;
    case PhysicalType::kString:
      type.kind == TypeKind::kBytes ? append_base64(out, column.values<StringRef>()[row].view())
                                    : append_json_text(out, column.values<StringRef>()[row].view());
      return;
    case PhysicalType::kList:
      append_json_list(out, type, column, row);
      return;
    case PhysicalType::kStruct:
      append_json_struct(out, type, column, row);
      return;
  }
}

}  // namespace

void append_value_text(std::string& out, const DataType& type, const Column& column, uint32_t row) {
  append_json_value(out, type, column, row);
}

void append_quoted_text(std::string& out, std::string_view text) { append_json_text(out, text); }

std::string row_text(const Batch& batch, const Schema& schema, uint32_t row) {
  std::string out = "{";
  for (size_t i = 0; i < schema.size(); ++i) {
    // Columns that no later step reads are not decoded and may be absent.
    if (!batch.columns[i]) continue;
    if (out.size() > 1) out.push_back(',');
    append_json_text(out, schema.fields[i].name);
    out.push_back(':');
    append_json_value(out, *schema.fields[i].type, *batch.columns[i], row);
  }
  out.push_back('}');
  return out;
}

}  // namespace millrace
