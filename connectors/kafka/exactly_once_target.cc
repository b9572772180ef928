#include "connectors/kafka/exactly_once_target.h"

#include <algorithm>

#include "connectors/kafka/lane_session.h"
#include "connectors/kafka/out_row.h"
#include "connectors/kafka/refused_rows.h"
#include "connectors/kafka/topic_audit.h"
#include "core/log.h"
#include "data/number_text.h"

namespace millrace {

namespace {
constexpr int64_t kRecordOverhead = 256;              // batch and record headers, ours among them
constexpr int64_t kClientRecordBytesMax = 1'000'000;  // message.max.bytes of librdkafka
}  // namespace

Status KafkaExactlyOnceTarget::open(const TargetContext& context) {
  context_ = context;
  options_ = read_kafka_sink(config_.options);
  if (!config_.key.empty()) keys_.emplace(*config_.schema, config_.key);
  progress_ = std::make_unique<KafkaProgressTopic>(
      options_.connection, options_.progress_topic_prefix + "-" + context.job_id + "-" + context.sink);
  if (context.metrics != nullptr) {
    dead_letter_metric_ = context.metrics->metric(MetricKind::kCounter, "millrace_step_dead_letter_records_total",
                                                  "Rows sent to the dead letters", context.labels);
  }
  const std::string wish = kafka_setting(options_.settings, "message.max.bytes");
  record_bytes_max_ = parse_int64(wish).value_or(kClientRecordBytesMax);
  auto limit = progress_->max_message_bytes(options_.topic);
  if (limit) {
    record_bytes_max_ = std::min(record_bytes_max_, *limit);
  } else if (!limit.error().transient() && limit.error().code != ErrorCode::kExternalRefused) {
    return std::unexpected(std::move(limit).error());
  } else {
    log_warn("the topic's limit is not known", {{"topic", options_.topic}, {"error", limit.error().to_string()}});
  }
  return {};
}

Status KafkaExactlyOnceTarget::prepare(const Batch& batch, PreparedRows& rows, Output& dead_letters) {
  RefusedRows refused(context_.sink, context_.clock->wall_ms());
  uint32_t refusals = 0;
  std::string key;
  std::string bytes;
  Status status;
  for_each_row(batch, [&](uint32_t row) {
    const RowKind kind = batch.kind(row);
    if (!status || kind == RowKind::kUpdateBefore) return;
    key.clear();
    KafkaOutRecord record;
    record.has_key = keys_ && keys_->append(batch, row, key);
    record.key = key;
    record.has_value = kind != RowKind::kDelete;
    if (record.has_value) {
      values_.clear();
      ends_.clear();
      status = encoder_->encode(batch, {&row, 1}, values_, ends_);
      if (!status) return;
      record.value = values_;
    }
    // 0 would mean now, and Kafka knows no time before the epoch.
    if (options_.event_time_stamps) record.timestamp = std::max<int64_t>(1, (*batch.event_times)[row]);
    const auto size = static_cast<int64_t>(record.key.size() + record.value.size()) + kRecordOverhead;
    if (size <= record_bytes_max_) {
      encode_out_row(record, bytes);
      status = rows.add(bytes);
      return;
    }
    const std::string error = "a record of " + std::to_string(size) + " bytes is larger than kafka topic " +
                              options_.topic + " takes (" + std::to_string(record_bytes_max_) + ")";
    if (config_.on_error == OnError::kDeadLetter) {
      refused.add(batch, *config_.schema, row, error);
      ++refusals;
    } else {
      status = make_error(ErrorCode::kOutputRefused, error,
                          "raise max.message.bytes of the topic and message.max.bytes in `properties:`, or set "
                          "`on_error: dead_letter`");
    }
  });
  MR_TRY(status);
  if (refusals == 0) return {};
  if (dead_letter_metric_) dead_letter_metric_->add(refusals);
  dead_letters.emit(0, refused.finish());
  return {};
}

Result<std::unique_ptr<LaneSession>> KafkaExactlyOnceTarget::open_session(const LaneId& lane) {
  return open_kafka_session(
      {.options = &options_, .progress = progress_.get(), .stopping = context_.stopping, .lane = lane});
}

Result<std::vector<std::string>> KafkaExactlyOnceTarget::audit(std::vector<PublishedPart> parts) {
  return audit_kafka_topics(options_, std::move(parts));
}

std::string KafkaExactlyOnceTarget::row_text(std::string_view row) const {
  KafkaOutRecord record;
  if (!decode_out_row(row, record)) return "(unreadable)";
  const std::string key = record.has_key ? std::string(record.key) + "\t" : std::string();
  return key + (record.has_value ? std::string(record.value) : "(deleted)");
}

}  // namespace millrace
