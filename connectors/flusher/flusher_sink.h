// An at-least-once sink over a RowFlusher: the worker turns rows into bytes, the flusher's thread sends them; a barrier
// is acknowledged when the rows before it are safe. With `on_error: dead_letter` one batch is on its way at a time, so
// that what the target refuses can still leave as dead letters of its batch.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "connectors/flusher/row_flusher.h"
#include "core/clock.h"
#include "plan/job_graph.h"
#include "runtime/spi/sink.h"

namespace millrace {

class FlusherSink : public SinkWriter {
 public:
  ~FlusherSink() override;
  Status open(SinkContext& context) override;
  Result<Flow> write(const Batch& batch, Output& dead_letters) override;
  Result<std::vector<SnapshotPartPtr>> snapshot() override;
  Status close() override;

 protected:
  /// `system` names the metric of its troubles: "redis".
  FlusherSink(SinkConfig config, std::string system) : config_(std::move(config)), system_(std::move(system)) {}

  virtual std::unique_ptr<FlushTarget> make_target() = 0;
  /// Called before the first row until it is true; the flusher being connected is `connected`.
  virtual bool ready(bool /*connected*/) { return true; }
  /// Appends the bytes of a row; or answers why the target would never take it.
  virtual std::optional<std::string> append(const Batch& batch, uint32_t row, std::string& out) = 0;

  const SinkConfig config_;

 private:
  struct Refused {
    uint32_t row;
    std::string error;
  };
  [[nodiscard]] Status failed() const;
  Status encode(const Batch& batch, FlushRows& rows);
  void emit_refused(const Batch& batch, Output& dead_letters);

  const std::string system_;
  std::string sink_;
  Clock* clock_ = nullptr;
  std::shared_ptr<RowFlusher> flusher_;
  MetricPtr trouble_metric_;
  MetricPtr dead_letter_metric_;
  bool ready_ = false;
  uint64_t on_its_way_ = 0;     // ticket of the offered batch; 0: none
  std::vector<uint32_t> sent_;  // rows of that batch
  std::vector<Refused> refused_;
};

}  // namespace millrace
