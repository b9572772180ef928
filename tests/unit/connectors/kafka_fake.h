// A Kafka in memory for the reader's and the writer's tests: partitions are vectors, control records are gaps.
#pragma once

#include <catch2/catch.hpp>
#include <map>
#include <mutex>
#include <set>

#include "connectors/kafka/client.h"
#include "connectors/kafka/options.h"
#include "plan/option_reader.h"
#include "plan/yaml_reader.h"

namespace millrace {

struct FakeLog {
  int64_t first = 0;
  int64_t end = 0;  // also behind control records, which have no entry
  std::map<int64_t, std::string> records;
  void append(const std::string& value) { records[end++] = value; }
  void append_control() { ++end; }
};

struct FakeKafka {
  std::mutex mutex;
  std::map<KafkaPartition, FakeLog> logs;
  std::map<KafkaPartition, int64_t> group;
  std::map<KafkaPartition, int64_t> committed_by_us;
  std::map<KafkaPartition, std::map<int64_t, int64_t>> times;  // time -> offset
};

class FakeConsumer final : public KafkaConsumerClient {
 public:
  explicit FakeConsumer(FakeKafka& kafka) : kafka_(kafka) {}

  Result<uint32_t> start(const KafkaPartition& partition, int64_t offset) override {
    lanes_.push_back({partition, offset});
    return static_cast<uint32_t>(lanes_.size() - 1);
  }
  Status restart(uint32_t lane, int64_t offset) override {
    lanes_[lane] = {lanes_[lane].partition, offset};
    return {};
  }
  KafkaFetch fetch(uint32_t lane, uint32_t max_records, int64_t from, RecordBatch& out) override {
    const std::lock_guard lock(kafka_.mutex);
    Lane& at = lanes_[lane];
    const FakeLog& log = kafka_.logs[at.partition];
    KafkaFetch fetched;
    if (at.offset < log.first || at.offset > log.end) {
      fetched.lost = !std::exchange(at.told_lost, true);
      return fetched;
    }
    for (auto i = log.records.lower_bound(at.offset); i != log.records.end() && max_records > 0; ++i) {
      at.offset = fetched.next_offset = i->first + 1;
      if (i->first < from) continue;
      Record record;
      record.value = out.arena->copy(i->second);
      record.offset = i->first;
      out.records.push_back(record);
      --max_records;
    }
    if (max_records > 0 && at.told_end != log.end) {
      at.offset = at.told_end = fetched.next_offset = log.end;
      fetched.at_end = true;
    }
    return fetched;
  }
  size_t queued(uint32_t) override { return 1; }
  int64_t cached_end(uint32_t lane) override { return kafka_.logs[lanes_[lane].partition].end; }
  std::optional<Error> take_error() override { return std::nullopt; }

  Result<std::vector<KafkaPartition>> partitions(const std::vector<std::string>& topics, int) override {
    const std::lock_guard lock(kafka_.mutex);
    std::vector<KafkaPartition> found;
    for (const std::string& topic : topics) {
      const size_t before = found.size();
      for (const auto& [partition, log] : kafka_.logs)
        if (partition.topic == topic) found.push_back(partition);
      if (found.size() == before)
        return make_error(ErrorCode::kMissingTopic, "kafka topic " + topic + " does not exist");
    }
    return found;
  }
  Result<KafkaRange> range(const KafkaPartition& partition, int) override {
    const std::lock_guard lock(kafka_.mutex);
    return KafkaRange{kafka_.logs[partition].first, kafka_.logs[partition].end};
  }
  Result<std::optional<int64_t>> offset_at(const KafkaPartition& partition, int64_t time_ms, int) override {
    const auto& times = kafka_.times[partition];
    const auto found = times.lower_bound(time_ms);
    return found == times.end() ? std::nullopt : std::optional(found->second);
  }
  Result<std::map<KafkaPartition, int64_t>> committed(const std::vector<KafkaPartition>& partitions, int) override {
    std::map<KafkaPartition, int64_t> answer;
    for (const KafkaPartition& partition : partitions)
      if (kafka_.group.contains(partition)) answer[partition] = kafka_.group[partition];
    return answer;
  }
  void commit(const std::vector<std::pair<KafkaPartition, int64_t>>& offsets) override {
    const std::lock_guard lock(kafka_.mutex);
    for (const auto& [partition, offset] : offsets) kafka_.committed_by_us[partition] = offset;
  }
  void ring(const KafkaPartition&) override {}

 private:
  struct Lane {
    KafkaPartition partition;
    int64_t offset = 0;
    int64_t told_end = -1;
    bool told_lost = false;
  };
  FakeKafka& kafka_;
  std::vector<Lane> lanes_;
};

/// The options of a job file's source or sink, from YAML; fails the test when they are refused.
inline OptionValues kafka_values(const ConnectorDescriptor& descriptor, const std::string& yaml) {
  Diagnostics diagnostics;
  const auto tree = read_yaml(yaml, diagnostics);
  OptionValues values = read_options(*tree, descriptor.options, "source `s`", diagnostics);
  if (!descriptor.deliveries.empty() && descriptor.check_sink) {
    SinkConfig config;
    descriptor.check_sink(values, config, diagnostics);
  }
  if (descriptor.check_source) {
    SourceConfig config;
    descriptor.check_source(values, config, diagnostics);
  }
  for (const Diagnostic& one : diagnostics.all()) FAIL_CHECK(one.message);
  return values;
}

}  // namespace millrace
