// METADATA columns of a source: topic, partition, offset, timestamp, key, headers, path and line of a row's record.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "data/batch.h"
#include "runtime/spi/record.h"

namespace millrace {

/// `record_of_row` is empty when row i is record i. Text that is not part of the records' arena goes into `arena`.
ColumnPtr metadata_column(std::string_view metadata, const DataType& type, const RecordBatch& records, uint32_t rows,
                          std::span<const uint32_t> record_of_row, Arena& arena);

}  // namespace millrace
