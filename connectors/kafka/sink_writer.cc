#include "connectors/kafka/sink_writer.h"

#include <algorithm>

#include "connectors/kafka/refused_rows.h"

namespace millrace {

namespace {

/// Holds a checkpoint back until the records before its barrier are acknowledged.
class DeliveredPart final : public SnapshotPart {
 public:
  DeliveredPart(KafkaProducerClientPtr client, uint64_t epoch) : client_(std::move(client)), epoch_(epoch) {}
  Status write(SnapshotWriter& /*writer*/) override { return client_->wait_epoch(epoch_); }

 private:
  KafkaProducerClientPtr client_;
  uint64_t epoch_;
};

}  // namespace

KafkaSinkWriter::KafkaSinkWriter(SinkConfig config, EncoderPtr encoder, KafkaProducerFactory factory)
    : config_(std::move(config)), encoder_(std::move(encoder)), factory_(std::move(factory)) {}

KafkaSinkWriter::~KafkaSinkWriter() {
  if (client_) client_->cancel();
}

Status KafkaSinkWriter::open(SinkContext& context) {
  options_ = read_kafka_sink(config_.options);
  sink_ = context.sink;
  clock_ = context.clock;
  if (!config_.key.empty()) keys_.emplace(*config_.schema, config_.key);
  if (context.metrics != nullptr) {
    Labels labels = context.labels;
    dead_letter_metric_ = context.metrics->metric(MetricKind::kCounter, "millrace_step_dead_letter_records_total",
                                                  "Rows sent to the dead letters", labels);
    labels.emplace_back("reason", "kafka_unreachable");
    trouble_metric_ = context.metrics->metric(MetricKind::kCounter, "millrace_step_errors_total",
                                              "Errors of a step by reason", labels);
  }
  // The client may outlive this writer inside a snapshot part, so it gets its own share of the counter.
  const auto trouble = [troubles = troubles_] { troubles->fetch_add(1, std::memory_order_relaxed); };
  MR_ASSIGN(client_, factory_(options_, context.waker, trouble));
  return {};
}

Status KafkaSinkWriter::prepare(const Batch& batch) {
  rows_.clear();
  tombstones_.clear();
  values_.clear();
  ends_.clear();
  for_each_row(batch, [&](uint32_t row) {
    const RowKind kind = batch.kind(row);
    if (kind == RowKind::kDelete) tombstones_.push_back(row);
    if (kind != RowKind::kDelete && kind != RowKind::kUpdateBefore) rows_.push_back(row);
  });
  MR_TRY(encoder_->encode(batch, rows_, values_, ends_));
  prepared_ = true;
  return {};
}

Result<Flow> KafkaSinkWriter::write(const Batch& batch, Output& dead_letters) {
  if (trouble_metric_) trouble_metric_->set(static_cast<double>(troubles_->load(std::memory_order_relaxed)));
  if (std::optional<Error> error = client_->failure()) return std::unexpected(std::move(*error));
  if (!prepared_) MR_TRY(prepare(batch));
  if (!client_->has_room(rows_.size() + tombstones_.size(), values_.size())) return Flow::kBlocked;
  prepared_ = false;
  std::vector<Refused> refused;
  MR_TRY(send_all(batch, refused));
  if (!refused.empty()) emit_refused(batch, refused, dead_letters);
  return Flow::kNeedInput;
}

Status KafkaSinkWriter::send_all(const Batch& batch, std::vector<Refused>& refused) {
  std::string key;
  size_t value = 0;
  auto tombstone = tombstones_.begin();
  const auto send = [&](uint32_t row, bool has_value) -> Status {
    key.clear();
    KafkaOutRecord record;
    record.has_key = keys_ && keys_->append(batch, row, key);
    record.key = key;
    record.has_value = has_value;
    if (has_value) {
      const size_t start = value == 0 ? 0 : ends_[value - 1];
      record.value = std::string_view(values_).substr(start, ends_[value] - start);
      ++value;
    }
    // 0 would mean now, and Kafka knows no time before the epoch.
    if (options_.event_time_stamps) record.timestamp = std::max<int64_t>(1, (*batch.event_times)[row]);
    Status sent = client_->send(record);
    if (sent || sent.error().code != ErrorCode::kOutputRefused || config_.on_error != OnError::kDeadLetter) return sent;
    refused.push_back({row, sent.error().message});
    return {};
  };
  // Both lists ascend; together they give the order of the batch, which per key must be kept.
  for (const uint32_t row : rows_) {
    for (; tombstone != tombstones_.end() && *tombstone < row; ++tombstone) MR_TRY(send(*tombstone, false));
    MR_TRY(send(row, true));
  }
  for (; tombstone != tombstones_.end(); ++tombstone) MR_TRY(send(*tombstone, false));
  return {};
}

void KafkaSinkWriter::emit_refused(const Batch& batch, const std::vector<Refused>& refused, Output& out) {
  RefusedRows rows(sink_, clock_->wall_ms());
  for (const Refused& one : refused) rows.add(batch, *config_.schema, one.row, one.error);
  if (dead_letter_metric_) dead_letter_metric_->add(static_cast<double>(refused.size()));
  out.emit(0, rows.finish());
}

Result<std::vector<SnapshotPartPtr>> KafkaSinkWriter::snapshot() {
  if (std::optional<Error> error = client_->failure()) return std::unexpected(std::move(*error));
  std::vector<SnapshotPartPtr> parts;
  if (config_.delivery == Delivery::kNone) return parts;
  parts.push_back(std::make_unique<DeliveredPart>(client_, client_->end_epoch()));
  return parts;
}

Status KafkaSinkWriter::close() { return client_->wait_epoch(client_->end_epoch()); }

}  // namespace millrace
