// Random types, columns and batches from a seed, for tests of everything that copies or writes batches.
#pragma once

#include <string>

#include "core/random.h"
#include "data/batch.h"
#include "data/key_format.h"

namespace millrace {

inline TypePtr random_type(Random& random, int depth = 0) {
  static const char* const kScalars[] = {"BOOLEAN", "TINYINT",        "INT",  "BIGINT", "FLOAT",       "DOUBLE",
                                         "STRING",  "DECIMAL(20, 3)", "DATE", "BYTES",  "TIMESTAMP(3)"};
  const uint64_t pick = random.below(depth < 2 ? 14 : 11);
  if (pick == 11) return make_array(random_type(random, depth + 1));
  if (pick == 12) return make_map(make_string(false), random_type(random, depth + 1));
  if (pick == 13) return make_row({"a", "b"}, {random_type(random, depth + 1), random_type(random, depth + 1)});
  return *parse_type(kScalars[pick]);
}

inline void fill_random(Column& column, uint32_t rows, Random& random, Arena& arena) {
  column.resize(rows);
  const auto child = [&](size_t i) -> Column& { return const_cast<Column&>(*column.children()[i]); };
  if (column.type() == PhysicalType::kStruct) {
    for (size_t i = 0; i < column.children().size(); ++i) fill_random(child(i), rows, random, arena);
  }
  for (uint32_t row = 0; row < rows; ++row) {
    switch (column.type()) {
      case PhysicalType::kBool:
        column.values<uint8_t>()[row] = random.below(2) != 0 ? 1 : 0;
        break;
      case PhysicalType::kInt32:
        column.values<int32_t>()[row] = static_cast<int32_t>(random.next());
        break;
      case PhysicalType::kInt64:
        column.values<int64_t>()[row] = static_cast<int64_t>(random.next());
        break;
      case PhysicalType::kFloat:
        column.values<float>()[row] = static_cast<float>(random.unit());
        break;
      case PhysicalType::kDouble:
        column.values<double>()[row] = random.unit() * 1e9;
        break;
      case PhysicalType::kInt128:
        column.values<int128>()[row] = static_cast<int64_t>(random.next());
        break;
      case PhysicalType::kString: {
        const std::string text(random.below(30), static_cast<char>('a' + random.below(26)));
        column.values<StringRef>()[row] = arena.copy(text);
        break;
      }
      case PhysicalType::kList:
        column.offsets()[row + 1] = column.offsets()[row] + static_cast<uint32_t>(random.below(4));
        break;
      case PhysicalType::kStruct:
        break;
    }
  }
  if (column.type() == PhysicalType::kList) fill_random(child(0), column.offsets()[rows], random, arena);
  const bool list_or_struct = physical_width(column.type()) == 0;
  if (list_or_struct || random.below(2) == 0) return;
  for (uint32_t row = 0; row < rows; ++row) {
    if (random.below(5) == 0) column.set_null(row);
  }
}

inline SchemaPtr random_schema(Random& random) {
  auto schema = std::make_shared<Schema>();
  const uint64_t columns = random.below(6);
  for (uint64_t i = 0; i < columns; ++i) schema->fields.push_back({"c" + std::to_string(i), random_type(random)});
  return schema;
}

inline Batch random_batch(Random& random, const Schema& schema, uint32_t rows) {
  Batch batch;
  batch.rows = rows;
  auto arena = std::make_shared<Arena>(1024);
  for (const Field& field : schema.fields) {
    auto column = make_column(*field.type);
    fill_random(*column, rows, random, *arena);
    batch.columns.push_back(random.below(8) == 0 ? nullptr : ColumnPtr(std::move(column)));
  }
  auto times = std::make_shared<std::vector<int64_t>>();
  for (uint32_t i = 0; i < rows; ++i) times->push_back(static_cast<int64_t>(random.next()));
  batch.event_times = times;
  if (random.below(2) == 0) {
    auto kinds = std::make_shared<std::vector<uint8_t>>();
    for (uint32_t i = 0; i < rows; ++i) kinds->push_back(static_cast<uint8_t>(random.below(4)));
    batch.kinds = kinds;
  }
  if (random.below(2) == 0) {
    auto selection = std::make_shared<std::vector<uint32_t>>();
    for (uint32_t i = 0; i < rows; ++i) {
      if (random.below(3) != 0) selection->push_back(i);
    }
    batch.selection = selection;
  }
  batch.arenas.push_back(arena);
  return batch;
}

/// Everything that a row holds, as bytes: equal rows have equal bytes.
inline std::string row_bytes(const Batch& batch, uint32_t row) {
  std::string bytes =
      std::to_string((*batch.event_times)[row]) + "/" + std::to_string(static_cast<int>(batch.kind(row))) + "/";
  for (const ColumnPtr& column : batch.columns) {
    if (column) {
      append_key_value(*column, row, bytes);
    } else {
      bytes += "absent";
    }
  }
  return bytes;
}

}  // namespace millrace
