// From what a reader delivers to rows of the source's schema: decoding, metadata and computed columns, event times, and
// the records that cannot become rows. Knows nothing of splits, watermarks or time-outs. One worker thread.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "core/status.h"
#include "plan/job_graph.h"
#include "runtime/spi/format.h"
#include "runtime/spi/source.h"

namespace millrace {

struct SourceRows {
  Batch batch;                            // good rows; empty when there are none
  Batch ahead;                            // rows too far ahead of the wall clock (max_ahead)
  std::vector<BadRecord> bad;             // indexes into the chunk's records (or rows, for typed sources)
  int64_t max_timestamp = kWatermarkMin;  // of `batch`
  uint32_t records = 0;                   // taken from the reader
  uint32_t skipped = 0;                   // tombstones
  uint64_t bytes = 0;                     // raw bytes of the records
};

class SourceRowMaker {
 public:
  /// `decoder` is null for typed sources.
  SourceRowMaker(std::shared_ptr<const SourceConfig> config, SchemaPtr schema, DecoderPtr decoder);
  ~SourceRowMaker();

  /// Prepares computed columns; once, before make().
  Status open();
  /// Fails only when decoding as a whole is impossible; records that cannot be used are listed in `out.bad`.
  Status make(SourceChunk& chunk, int64_t now_ms, SourceRows& out);

 private:
  struct Computed;
  Status decode(RecordBatch& records, SourceRows& out);
  void place_typed(Batch rows, SourceRows& out);
  void add_metadata(const RecordBatch& records, Batch& batch);
  void compute(Batch& batch, int64_t now_ms, std::vector<BadRecord>& bad);
  void set_event_times(const RecordBatch* records, Batch& batch, int64_t now_ms, SourceRows& out);
  void select_good(Batch batch, SourceRows& out);
  [[nodiscard]] uint32_t record_of(uint32_t row) const { return record_of_row_.empty() ? row : record_of_row_[row]; }

  std::shared_ptr<const SourceConfig> config_;
  SchemaPtr schema_;
  DecoderPtr decoder_;
  std::vector<uint32_t> physical_;  // columns that the decoder fills, in its order
  std::vector<uint32_t> metadata_;
  std::unique_ptr<Computed> computed_;
  DecodeResult decoded_;
  std::vector<uint32_t> record_of_row_;
  std::vector<uint8_t> fate_;  // per row: 0 good, 1 bad, 2 ahead; empty when all are good
};

/// The physical columns that a decoder is made for: the used ones, in order.
std::vector<DecodeColumn> decode_columns(const SourceConfig& config);

}  // namespace millrace
