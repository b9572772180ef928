// Rows for a source's dead_letter port (schema: source_dead_letter_schema()): the record as it came, and why it was
// refused.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "data/batch.h"
#include "runtime/spi/format.h"
#include "runtime/spi/record.h"

namespace millrace {

/// `records` is null for typed sources: only source, code, error and time are known then.
Batch make_source_dead_letters(const std::string& source, const RecordBatch* records, std::span<const BadRecord> bad,
                               int64_t failed_at_ms);

/// One line naming topic, partition and offset (or path and byte position) of a bad record, for logs and errors.
std::string describe_bad_record(const RecordBatch* records, const BadRecord& bad);

}  // namespace millrace
