#include "data/key_format.h"

#define XXH_INLINE_ALL  // the length is a constant in the hot loops, so inlining removes its branches
#include <xxhash.h>

#include <bit>
#include <cmath>
#include <cstring>

namespace millrace {
namespace {

constexpr char kTagNull = 0;
constexpr char kTagValue = 1;
constexpr size_t kIntegerKeyBytes = 1 + sizeof(int64_t);

double canonical_double(double value) {
  if (std::isnan(value)) return std::bit_cast<double>(uint64_t{0x7ff8000000000000});
  return value == 0 ? 0.0 : value;
}

template <class T>
char* put_raw(char* to, T value) {
  std::memcpy(to, &value, sizeof value);
  return to + sizeof value;
}

/// XXH3-64 of the nine bytes of an integer key, from the number itself: reading back the bytes that were just written
/// costs more than the hash.
uint64_t hash_integer_key(int64_t value) {
  const auto bits = static_cast<uint64_t>(value);
  const uint64_t low_flip = XXH_readLE64(XXH3_kSecret + 24) ^ XXH_readLE64(XXH3_kSecret + 32);
  const uint64_t high_flip = XXH_readLE64(XXH3_kSecret + 40) ^ XXH_readLE64(XXH3_kSecret + 48);
  const uint64_t low = (bits << 8 | kTagValue) ^ low_flip;  // bytes 0 to 7
  const uint64_t high = bits ^ high_flip;                   // bytes 1 to 8
  return XXH3_avalanche(kIntegerKeyBytes + XXH_swap64(low) + high + XXH3_mul128_fold64(low, high));
}

char* put_integer_key(char* to, int64_t value) {
  *to = kTagValue;
  return put_raw(to + 1, value);
}

char* put_string_key(char* to, StringRef value) {
  *to = kTagValue;
  to = put_raw(to + 1, value.size);
  if (value.size > 0) std::memcpy(to, value.data, value.size);
  return to + value.size;
}

/// Bytes of one value in key form.
size_t key_value_size(const Column& column, uint32_t row) {
  if (column.is_null(row)) return 1;
  switch (column.type()) {
    case PhysicalType::kInt128:
      return 1 + sizeof(int128);
    case PhysicalType::kString:
      return 1 + sizeof(uint32_t) + column.values<StringRef>()[row].size;
    case PhysicalType::kList: {
      size_t bytes = 1 + sizeof(uint32_t);
      for (uint32_t e = column.offsets()[row]; e < column.offsets()[row + 1]; ++e) {
        bytes += key_value_size(*column.children()[0], e);
      }
      return bytes;
    }
    case PhysicalType::kStruct: {
      size_t bytes = 1 + sizeof(uint32_t);
      for (const ColumnPtr& child : column.children()) bytes += key_value_size(*child, row);
      return bytes;
    }
    default:
      return kIntegerKeyBytes;
  }
}

char* put_key_value(char* to, const Column& column, uint32_t row) {
  if (column.is_null(row)) {
    *to = kTagNull;
    return to + 1;
  }
  switch (column.type()) {
    case PhysicalType::kBool:
      return put_integer_key(to, column.values<uint8_t>()[row] != 0 ? 1 : 0);
    case PhysicalType::kInt32:
      return put_integer_key(to, column.values<int32_t>()[row]);
    case PhysicalType::kInt64:
      return put_integer_key(to, column.values<int64_t>()[row]);
    case PhysicalType::kFloat:
      *to = kTagValue;
      return put_raw(to + 1, canonical_double(static_cast<double>(column.values<float>()[row])));
    case PhysicalType::kDouble:
      *to = kTagValue;
      return put_raw(to + 1, canonical_double(column.values<double>()[row]));
    case PhysicalType::kInt128:
      *to = kTagValue;
      return put_raw(to + 1, column.values<int128>()[row]);
    case PhysicalType::kString:
      return put_string_key(to, column.values<StringRef>()[row]);
    case PhysicalType::kList: {
      const uint32_t first = column.offsets()[row];
      const uint32_t last = column.offsets()[row + 1];
      *to = kTagValue;
      to = put_raw(to + 1, last - first);
      for (uint32_t e = first; e < last; ++e) to = put_key_value(to, *column.children()[0], e);
      return to;
    }
    case PhysicalType::kStruct:
      *to = kTagValue;
      to = put_raw(to + 1, static_cast<uint32_t>(column.children().size()));
      for (const ColumnPtr& child : column.children()) to = put_key_value(to, *child, row);
      return to;
  }
  return to;
}

/// Room for `bytes`, never inside the string object itself: the views must survive a move of EncodedKeys.
char* backing_store(EncodedKeys& out, size_t bytes) {
  bytes = std::max<size_t>(bytes, 64);
  if (out.bytes.size() < bytes) out.bytes.resize(bytes);
  return out.bytes.data();
}

template <class T>
void encode_integer_keys(const Batch& batch, const Column& column, EncodedKeys& out) {
  char* to = backing_store(out, batch.selected() * kIntegerKeyBytes);
  const T* values = column.values<T>();
  const uint8_t* nulls = column.nulls();
  size_t i = 0;
  for_each_row(batch, [&](uint32_t row) {
    size_t size = kIntegerKeyBytes;
    if (nulls != nullptr && nulls[row] != 0) [[unlikely]] {
      *to = kTagNull;
      size = 1;
      out.hashes[i] = XXH3_64bits(to, 1);
    } else {
      put_integer_key(to, static_cast<int64_t>(values[row]));
      out.hashes[i] = hash_integer_key(static_cast<int64_t>(values[row]));
    }
    out.keys[i++] = {to, size};
    to += size;
  });
}

void encode_string_keys(const Batch& batch, const Column& column, EncodedKeys& out) {
  const StringRef* values = column.values<StringRef>();
  size_t total = 0;
  for_each_row(batch, [&](uint32_t row) { total += 1 + sizeof(uint32_t) + values[row].size; });
  char* to = backing_store(out, total);
  size_t i = 0;
  for_each_row(batch, [&](uint32_t row) {
    char* const begin = to;
    if (column.is_null(row)) [[unlikely]] {
      *to++ = kTagNull;
    } else {
      to = put_string_key(to, values[row]);
    }
    const auto size = static_cast<size_t>(to - begin);
    out.hashes[i] = XXH3_64bits(begin, size);
    out.keys[i++] = {begin, size};
  });
}

size_t key_column_size(const Batch& batch, const Column& column) {
  switch (column.type()) {
    case PhysicalType::kString:
    case PhysicalType::kList:
    case PhysicalType::kStruct: {
      size_t total = 0;
      for_each_row(batch, [&](uint32_t row) { total += key_value_size(column, row); });
      return total;
    }
    default:
      return batch.selected() * (1 + sizeof(int128));
  }
}

void encode_any_keys(const Batch& batch, std::span<const uint32_t> key_columns, EncodedKeys& out) {
  size_t total = 0;
  for (uint32_t column : key_columns) total += key_column_size(batch, *batch.columns[column]);
  char* to = backing_store(out, total);
  size_t i = 0;
  for_each_row(batch, [&](uint32_t row) {
    char* const begin = to;
    for (uint32_t column : key_columns) to = put_key_value(to, *batch.columns[column], row);
    const auto size = static_cast<size_t>(to - begin);
    out.hashes[i] = XXH3_64bits(begin, size);
    out.keys[i++] = {begin, size};
  });
}

}  // namespace

void encode_keys(const Batch& batch, const Schema&, std::span<const uint32_t> key_columns, EncodedKeys& out) {
  const uint32_t count = batch.selected();
  out.keys.resize(count);
  out.hashes.resize(count);
  if (key_columns.size() == 1) {
    const Column& column = *batch.columns[key_columns[0]];
    switch (column.type()) {
      case PhysicalType::kInt64:
        return encode_integer_keys<int64_t>(batch, column, out);
      case PhysicalType::kInt32:
        return encode_integer_keys<int32_t>(batch, column, out);
      case PhysicalType::kString:
        return encode_string_keys(batch, column, out);
      default:
        break;
    }
  }
  encode_any_keys(batch, key_columns, out);
}

void append_key_value(const Column& column, uint32_t row, std::string& out) {
  const size_t start = out.size();
  out.resize(start + key_value_size(column, row));
  put_key_value(out.data() + start, column, row);
}

KeyGroupRange key_group_range(uint32_t max_parallelism, uint32_t parallelism, uint32_t index) {
  const uint64_t max = max_parallelism;
  return {static_cast<uint32_t>((index * max + parallelism - 1) / parallelism),
          static_cast<uint32_t>(((index + 1) * max + parallelism - 1) / parallelism)};
}

uint32_t owner_of_key_group(uint32_t group, uint32_t max_parallelism, uint32_t parallelism) {
  return static_cast<uint32_t>(static_cast<uint64_t>(group) * parallelism / max_parallelism);
}

}  // namespace millrace
