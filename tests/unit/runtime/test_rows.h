// Rows for runtime tests: one BIGINT column `n`, event times equal to it unless given.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "data/batch.h"

namespace millrace {

inline SchemaPtr numbers_schema() {
  static const SchemaPtr schema = std::make_shared<Schema>(Schema{{{"n", make_type(TypeKind::kBigInt)}}});
  return schema;
}

inline Batch numbers(const std::vector<int64_t>& values) {
  auto column = make_column(*numbers_schema()->fields[0].type);
  column->resize(static_cast<uint32_t>(values.size()));
  std::copy(values.begin(), values.end(), column->values<int64_t>());
  Batch batch;
  batch.rows = static_cast<uint32_t>(values.size());
  batch.columns.push_back(std::move(column));
  batch.event_times = std::make_shared<std::vector<int64_t>>(values);
  return batch;
}

inline std::vector<int64_t> numbers_of(const Batch& batch) {
  std::vector<int64_t> values;
  for_each_row(batch, [&](uint32_t row) { values.push_back(batch.columns[0]->values<int64_t>()[row]); });
  return values;
}

}  // namespace millrace
