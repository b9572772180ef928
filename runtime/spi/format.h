// Formats: records to columns and back. One decoder or encoder belongs to one subtask; no locks.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "core/status.h"
#include "data/batch.h"
#include "runtime/spi/record.h"

namespace millrace {

/// A physical column of a source: where it comes from inside the record.
struct DecodeColumn {
  std::string name;
  TypePtr type;                   // NOT NULL types are checked
  std::vector<std::string> path;  // {"user", "id"}; a plain column has one element
  std::string time_format;        // "", "epoch_millis", "epoch_seconds", "iso8601" or a pattern
  int32_t ordinal = -1;           // among all physical columns of the source, used or not; -1: the place in the list
};

struct BadRecord {
  uint32_t record = 0;  // index in the RecordBatch
  ErrorCode code = ErrorCode::kBadRecord;
  std::string message;
};

struct DecodeResult {
  std::vector<ColumnPtr> columns;       // in the order of the DecodeColumns
  uint32_t rows = 0;
  std::vector<uint32_t> record_of_row;  // empty when row i is record i
  std::vector<BadRecord> bad;
  uint32_t skipped = 0;                 // tombstones
  std::vector<std::shared_ptr<const Arena>> arenas;  // beside the records' own
};

class Decoder {
 public:
  virtual ~Decoder() = default;
  /// Never fails as a whole because of a record: such records are listed in `bad`.
  virtual Status decode(const RecordBatch& records, DecodeResult& out) = 0;
};
using DecoderPtr = std::unique_ptr<Decoder>;

class Encoder {
 public:
  virtual ~Encoder() = default;
  /// Appends one text per row of `rows` (physical numbers) to `bytes`; ends[i] = end of row i's text in `bytes`.
  virtual Status encode(const Batch& batch, std::span<const uint32_t> rows, std::string& bytes,
                        std::vector<size_t>& ends) = 0;
};
using EncoderPtr = std::unique_ptr<Encoder>;

}  // namespace millrace
