// Rows into a table, at least once: the worker encodes and checks, the flusher's thread writes; a barrier is
// acknowledged when the rows before it are committed. With `on_error: dead_letter` one batch is on its way at a time,
// so that what the server refuses can still leave as dead letters of its batch.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "connectors/flusher/row_flusher.h"
#include "connectors/postgres/row_text.h"
#include "runtime/spi/sink.h"

namespace millrace {

/// The table as it was found first: set before the flusher is ready, never changed afterwards.
struct PgCatalogue {
  std::optional<PgTable> table;
};

class PgSinkWriter final : public SinkWriter {
 public:
  explicit PgSinkWriter(SinkConfig config) : config_(std::move(config)) {}
  ~PgSinkWriter() override;
  Status open(SinkContext& context) override;
  Result<Flow> write(const Batch& batch, Output& dead_letters) override;
  Result<std::vector<SnapshotPartPtr>> snapshot() override;
  Status close() override;

 private:
  struct Refused {
    uint32_t row;
    std::string error;
  };
  Status encode(const Batch& batch, FlushRows& rows);
  void emit_refused(const Batch& batch, Output& dead_letters);

  const SinkConfig config_;
  std::string sink_;
  Clock* clock_ = nullptr;
  std::shared_ptr<PgCatalogue> catalogue_ = std::make_shared<PgCatalogue>();
  std::shared_ptr<RowFlusher> flusher_;
  std::optional<PgRowEncoder> encoder_;
  MetricPtr trouble_metric_;
  MetricPtr dead_letter_metric_;
  uint64_t on_its_way_ = 0;     // ticket of the offered batch; 0: none
  std::vector<uint32_t> sent_;  // rows of that batch
  std::vector<Refused> refused_;
};

}  // namespace millrace
