// The kafka sink under `delivery: exactly_once`: rows become records on the worker, and leave in transactions on the
// committer's thread (lane_session.h). Rows that the topic will never take are refused here, before they enter a
// segment.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "connectors/kafka/options.h"
#include "connectors/kafka/progress_topic.h"
#include "connectors/kafka/row_key.h"
#include "plan/job_graph.h"
#include "runtime/spi/exactly_once.h"
#include "runtime/spi/format.h"

namespace millrace {

class KafkaExactlyOnceTarget final : public ExactlyOnceTarget {
 public:
  KafkaExactlyOnceTarget(SinkConfig config, EncoderPtr encoder)
      : config_(std::move(config)), encoder_(std::move(encoder)) {}

  Status open(const TargetContext& context) override;
  [[nodiscard]] std::string target() const override { return options_.topic; }
  Status prepare(const Batch& batch, PreparedRows& rows, Output& dead_letters) override;
  Result<uint32_t> known_lanes() override { return progress_->lanes(); }
  Result<std::unique_ptr<LaneSession>> open_session(const LaneId& lane) override;
  Result<std::vector<std::string>> audit(std::vector<PublishedPart> parts) override;
  [[nodiscard]] std::string row_text(std::string_view row) const override;

 private:
  const SinkConfig config_;
  const EncoderPtr encoder_;
  KafkaSinkOptions options_;
  std::optional<RowKeyWriter> keys_;
  TargetContext context_;
  std::unique_ptr<KafkaProgressTopic> progress_;
  MetricPtr dead_letter_metric_;
  int64_t record_bytes_max_ = 0;
  std::string values_;
  std::vector<size_t> ends_;
};

}  // namespace millrace
