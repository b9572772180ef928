#include <cstring>
#include <numeric>

#include "core/hash.h"
#include "data/wire.h"
#include "data/wire_format.h"

namespace millrace {
namespace {

/// The rows of a column that are written: an explicit list, or 0..count-1 when `rows` is null.
struct WireRows {
  const uint32_t* rows = nullptr;
  uint32_t count = 0;
  [[nodiscard]] uint32_t at(uint32_t i) const { return rows != nullptr ? rows[i] : i; }
};

class WireWriter {
 public:
  explicit WireWriter(size_t expected_bytes) { out_.reserve(expected_bytes); }

  char* extend(size_t bytes) {
    const size_t start = out_.size();
    out_.resize(start + bytes);
    return out_.data() + start;
  }
  template <class T>
  void put(T value) {
    std::memcpy(extend(sizeof value), &value, sizeof value);
  }
  void put_varint(uint64_t value) {
    for (; value >= 0x80; value >>= 7) out_.push_back(static_cast<char>(value | 0x80));
    out_.push_back(static_cast<char>(value));
  }

  template <class T>
  void put_values(const T* values, const WireRows& rows) {
    if (rows.count == 0) return;
    char* to = extend(rows.count * sizeof(T));
    if (rows.rows == nullptr) {
      std::memcpy(to, values, rows.count * sizeof(T));
      return;
    }
    for (uint32_t i = 0; i < rows.count; ++i) std::memcpy(to + i * sizeof(T), &values[rows.rows[i]], sizeof(T));
  }

  void put_column(const Column* column, const WireRows& rows) {
    if (column == nullptr) return put(kWireColumnAbsent);
    const auto kind = static_cast<uint8_t>(1 + static_cast<uint8_t>(column->type()));
    put(static_cast<uint8_t>(kind | (column->has_nulls() ? kWireColumnHasNulls : 0)));
    if (column->has_nulls()) put_null_bits(column->nulls(), rows);
    switch (column->type()) {
      case PhysicalType::kBool:
        return put_values(column->values<uint8_t>(), rows);
      case PhysicalType::kInt32:
      case PhysicalType::kFloat:
        return put_values(column->values<uint32_t>(), rows);
      case PhysicalType::kInt64:
      case PhysicalType::kDouble:
        return put_values(column->values<uint64_t>(), rows);
      case PhysicalType::kInt128:
        return put_values(column->values<int128>(), rows);
      case PhysicalType::kString:
        return put_strings(column->values<StringRef>(), rows);
      case PhysicalType::kList:
        return put_lists(*column, rows);
      case PhysicalType::kStruct:
        for (const ColumnPtr& child : column->children()) put_column(child.get(), rows);
    }
  }

  std::string take() { return std::move(out_); }

 private:
  void put_null_bits(const uint8_t* nulls, const WireRows& rows) {
    char* to = extend((rows.count + 7) / 8);
    for (uint32_t i = 0; i < rows.count; ++i) {
      if (nulls[rows.at(i)] != 0) to[i / 8] = static_cast<char>(to[i / 8] | (1 << (i % 8)));
    }
  }

  void put_strings(const StringRef* values, const WireRows& rows) {
    size_t total = 0;
    char* sizes = extend(rows.count * sizeof(uint32_t));
    for (uint32_t i = 0; i < rows.count; ++i) {
      const uint32_t size = values[rows.at(i)].size;
      std::memcpy(sizes + i * sizeof size, &size, sizeof size);
      total += size;
    }
    char* to = extend(total);
    for (uint32_t i = 0; i < rows.count; ++i) {
      const StringRef& value = values[rows.at(i)];
      if (value.size == 0) continue;
      std::memcpy(to, value.data, value.size);
      to += value.size;
    }
  }

  void put_lists(const Column& column, const WireRows& rows) {
    std::vector<uint32_t> elements;
    char* lengths = extend(rows.count * sizeof(uint32_t));
    for (uint32_t i = 0; i < rows.count; ++i) {
      const uint32_t first = column.offsets()[rows.at(i)];
      const uint32_t length = column.offsets()[rows.at(i) + 1] - first;
      std::memcpy(lengths + i * sizeof length, &length, sizeof length);
      const size_t start = elements.size();
      elements.resize(start + length);
      std::iota(elements.begin() + static_cast<std::ptrdiff_t>(start), elements.end(), first);
    }
    put_column(column.children()[0].get(), {elements.data(), static_cast<uint32_t>(elements.size())});
  }

  std::string out_;
};

}  // namespace

std::string encode_batch(const Batch& batch, const Schema& schema) {
  MR_CHECK(batch.columns.size() == schema.size(), "the batch has another number of columns than its schema");
  const WireRows rows{batch.selection ? batch.selection->data() : nullptr, batch.selected()};
  WireWriter out(64 + rows.count * 24 * (schema.size() + 1));
  std::memcpy(out.extend(kWireHeaderBytes), kWireMagic.data(), kWireMagic.size());
  out.put(static_cast<uint8_t>(batch.kinds ? kWireHasKinds : 0));
  out.put_varint(rows.count);
  out.put_varint(schema.size());
  if (rows.count > 0) out.put_values(batch.event_times->data(), rows);
  if (batch.kinds) out.put_values(batch.kinds->data(), rows);
  for (const ColumnPtr& column : batch.columns) out.put_column(column.get(), rows);
  std::string bytes = out.take();
  const uint32_t checksum = crc32c(std::string_view(bytes).substr(kWireHeaderBytes));
  std::memcpy(bytes.data() + kWireMagic.size(), &checksum, sizeof checksum);
  return bytes;
}

}  // namespace millrace
