// Key format 1: the bytes by which rows are partitioned and state is addressed. Stored in every snapshot, so it never
// changes without a new number; fixed vectors are in tests/unit/data/key_format_test.cc.
//   integers, dates, times, timestamps, booleans: 0x01 + 8 bytes little endian · DECIMAL: 0x01 + 16 bytes unscaled at
//   the declared scale · STRING, BYTES: 0x01 + u32 length + bytes · FLOAT, DOUBLE: 0x01 + 8 bytes as double, one zero,
//   one NaN · NULL: 0x00 (NULL is a key) · ARRAY, MAP, ROW: 0x01 + u32 count + the elements, each in this form.
// hash = XXH3-64 (seed 0) of the whole key; key group = (hash >> 32) * max_parallelism >> 32.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "data/batch.h"

namespace millrace {

inline constexpr uint32_t kDefaultMaxParallelism = 128;

/// Encoded keys of a batch: keys[i] belongs to the i-th selected row. Reused from batch to batch.
struct EncodedKeys {
  std::vector<std::string_view> keys;
  std::vector<uint64_t> hashes;
  std::string bytes;  // backing store
};

/// Encodes the key columns of every selected row. An empty column list gives the empty key (global operators).
void encode_keys(const Batch& batch, const Schema& schema, std::span<const uint32_t> key_columns, EncodedKeys& out);

/// One value in key form at the end of `out`: for sets of distinct values and other states that compare by bytes.
void append_key_value(const Column& column, uint32_t row, std::string& out);

/// Decodes one key back into the columns of `out` (types in order), appending one row. False: damaged (the
/// columns may then have different lengths).
bool decode_key(std::string_view key, std::span<const TypePtr> types, std::span<const std::shared_ptr<Column>> out,
                Arena& arena);

inline uint32_t key_group_of(uint64_t hash, uint32_t max_parallelism) {
  return static_cast<uint32_t>(((hash >> 32) * max_parallelism) >> 32);
}

/// The key groups [first, last) that subtask `index` of `parallelism` owns (Flink's rule).
struct KeyGroupRange {
  uint32_t first = 0;
  uint32_t last = 0;  // exclusive
  [[nodiscard]] bool contains(uint32_t group) const { return group >= first && group < last; }
};
KeyGroupRange key_group_range(uint32_t max_parallelism, uint32_t parallelism, uint32_t index);
uint32_t owner_of_key_group(uint32_t group, uint32_t max_parallelism, uint32_t parallelism);

}  // namespace millrace
