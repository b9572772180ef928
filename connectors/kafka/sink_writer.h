// Writes rows to a Kafka topic, at least once: a row leaves at once, and a barrier is acknowledged when the delivery
// reports of everything before it are in. Deletes are tombstones, the old half of an update is not written.
// One worker thread; the snapshot parts wait on the snapshot thread and share the client.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "connectors/kafka/client.h"
#include "connectors/kafka/options.h"
#include "connectors/kafka/row_key.h"
#include "runtime/spi/format.h"
#include "runtime/spi/sink.h"

namespace millrace {

using KafkaProducerFactory =
    std::function<Result<KafkaProducerClientPtr>(const KafkaSinkOptions&, Waker*, KafkaTroubleCallback)>;

class KafkaSinkWriter final : public SinkWriter {
 public:
  /// `encoder` writes the values.
  KafkaSinkWriter(SinkConfig config, EncoderPtr encoder, KafkaProducerFactory factory);
  ~KafkaSinkWriter() override;

  Status open(SinkContext& context) override;
  Result<Flow> write(const Batch& batch, Output& dead_letters) override;
  Result<std::vector<SnapshotPartPtr>> snapshot() override;
  Status close() override;

 private:
  struct Refused {
    uint32_t row;
    std::string error;
  };

  Status prepare(const Batch& batch);
  Status send_all(const Batch& batch, std::vector<Refused>& refused);
  void emit_refused(const Batch& batch, const std::vector<Refused>& refused, Output& out);

  const SinkConfig config_;
  const EncoderPtr encoder_;
  const KafkaProducerFactory factory_;
  KafkaSinkOptions options_;
  std::optional<RowKeyWriter> keys_;
  std::string sink_;
  Clock* clock_ = nullptr;
  KafkaProducerClientPtr client_;
  std::shared_ptr<std::atomic<uint64_t>> troubles_ = std::make_shared<std::atomic<uint64_t>>(0);
  MetricPtr trouble_metric_;
  MetricPtr dead_letter_metric_;

  // The batch that is being written; kept while the client has no room.
  bool prepared_ = false;
  std::vector<uint32_t> rows_;        // with a value
  std::vector<uint32_t> tombstones_;  // rows that are deletes
  std::string values_;
  std::vector<size_t> ends_;
};

}  // namespace millrace
