// Bytes that compare like the values: for results in key order. NULL first, numbers by value, texts by bytes, nested
// values by their JSON text. Pure functions.
#pragma once

#include <bit>
#include <cstdint>
#include <string>

#include "connectors/json/json_encoder.h"
#include "data/column.h"

namespace millrace {

template <class T>
void append_big_endian(std::string& out, T value) {
  for (int shift = static_cast<int>(sizeof(T)) * 8 - 8; shift >= 0; shift -= 8)
    out.push_back(static_cast<char>((value >> shift) & 0xff));
}

inline void append_sortable_text(std::string& out, std::string_view text) {
  for (const char c : text) {
    out.push_back(c);
    if (c == '\0') out.push_back('\xff');
  }
  out.append(2, '\0');
}

inline uint64_t sortable_bits(double value) {
  const auto bits = std::bit_cast<uint64_t>(value == 0 ? 0.0 : value);
  return (bits >> 63) != 0 ? ~bits : bits | 1ULL << 63;
}

inline void append_sort_key(std::string& out, const Column& column, uint32_t row, const JsonValueWriter& writer) {
  if (column.is_null(row)) {
    out.push_back('\0');
    return;
  }
  out.push_back('\1');
  switch (column.type()) {
    case PhysicalType::kBool:
      out.push_back(static_cast<char>(column.values<uint8_t>()[row]));
      return;
    case PhysicalType::kInt32:
      append_big_endian(out, static_cast<uint32_t>(column.values<int32_t>()[row]) ^ 1U << 31);
      return;
    case PhysicalType::kInt64:
      append_big_endian(out, static_cast<uint64_t>(column.values<int64_t>()[row]) ^ 1ULL << 63);
      return;
    case PhysicalType::kFloat:
      append_big_endian(out, sortable_bits(column.values<float>()[row]));
      return;
    case PhysicalType::kDouble:
      append_big_endian(out, sortable_bits(column.values<double>()[row]));
      return;
    case PhysicalType::kInt128:
      append_big_endian(
          out, static_cast<unsigned __int128>(column.values<int128>()[row]) ^ static_cast<unsigned __int128>(1) << 127);
      return;
    case PhysicalType::kString:
      append_sortable_text(out, column.values<StringRef>()[row].view());
      return;
    default: {
      std::string text;
      writer.append(column, row, text);
      append_sortable_text(out, text);
    }
  }
}

}  // namespace millrace
