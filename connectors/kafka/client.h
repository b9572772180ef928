// What the connector needs of a Kafka client. librdkafka stands behind it today (rd_consumer.h, rd_producer.h), a fake
// in unit tests; a fetch path of our own can take its place without touching the reader or the writer.
//
// Threads: fetch(), start(), restart(), queued() and cached_end() belong to the reader's thread and never wait. The
// calls with a time-out may block and belong to the control thread. Offsets are always "the next one", never "the last
// seen".
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/status.h"
#include "core/waker.h"
#include "runtime/spi/record.h"

namespace millrace {

struct KafkaPartition {
  std::string topic;
  int32_t partition = 0;
  friend auto operator<=>(const KafkaPartition&, const KafkaPartition&) = default;
  /// "events/3", the id of the split in checkpoints.
  [[nodiscard]] std::string to_string() const { return topic + "/" + std::to_string(partition); }
  static std::optional<KafkaPartition> parse(std::string_view split);
};

/// Offsets that exist: [first, end). Under read_committed `end` is the last stable offset.
struct KafkaRange {
  int64_t first = 0;
  int64_t end = 0;
};

/// What one fetch() did to a lane.
struct KafkaFetch {
  int64_t next_offset = -1;    // position behind everything seen, control records included; -1: nothing was seen
  bool at_end = false;         // the log had no more at next_offset
  bool lost = false;           // the wanted offset is outside the log; the lane delivers nothing until restart()
  std::optional<Error> error;  // the lane cannot go on
};

class KafkaConsumerClient {
 public:
  virtual ~KafkaConsumerClient() = default;

  // The reader's thread.
  /// Begins to fetch at `offset`. Answers the lane's number, counting from 0.
  virtual Result<uint32_t> start(const KafkaPartition& partition, int64_t offset) = 0;
  virtual Status restart(uint32_t lane, int64_t offset) = 0;
  /// Appends at most `max_records` records of the lane whose offset is at least `from` to `out`.
  virtual KafkaFetch fetch(uint32_t lane, uint32_t max_records, int64_t from, RecordBatch& out) = 0;
  /// Entries that wait in the lane's queue.
  virtual size_t queued(uint32_t lane) = 0;
  /// The end of the log as the last fetch response told it; -1 when not known yet.
  virtual int64_t cached_end(uint32_t lane) = 0;
  /// An error that concerns the whole client and cannot pass (authentication, fencing).
  virtual std::optional<Error> take_error() = 0;

  // The control thread.
  /// kMissingTopic names the topics that do not exist; kUnreachable when nobody answered in time.
  virtual Result<std::vector<KafkaPartition>> partitions(const std::vector<std::string>& topics, int timeout_ms) = 0;
  virtual Result<KafkaRange> range(const KafkaPartition& partition, int timeout_ms) = 0;
  /// Offset of the first record at or after a time; nothing when there is none.
  virtual Result<std::optional<int64_t>> offset_at(const KafkaPartition& partition, int64_t time_ms,
                                                   int timeout_ms) = 0;
  virtual Result<std::map<KafkaPartition, int64_t>> committed(const std::vector<KafkaPartition>& partitions,
                                                              int timeout_ms) = 0;
  /// For monitoring only; a failure is logged and forgotten.
  virtual void commit(const std::vector<std::pair<KafkaPartition, int64_t>>& offsets) = 0;
  /// Makes the client look at the lane's queue again (README.md, "the bell").
  virtual void ring(const KafkaPartition& partition) = 0;
};
using KafkaConsumerClientPtr = std::unique_ptr<KafkaConsumerClient>;

/// How often the brokers could not be reached, for a metric; any thread.
using KafkaTroubleCallback = std::function<void()>;

struct KafkaOutRecord {
  std::string_view value;
  std::string_view key;
  bool has_value = true;  // false: tombstone
  bool has_key = false;
  int64_t timestamp = 0;  // 0: now
};

/// Counts, per epoch (the stretch between two barriers), the records that are not acknowledged yet.
class KafkaProducerClient {
 public:
  virtual ~KafkaProducerClient() = default;

  // The writer's thread.
  /// Whether `records` with `bytes` in total would be taken now. If not, the waker is notified once they would.
  virtual bool has_room(size_t records, size_t bytes) = 0;
  /// Copies and queues the record. kOutputRefused: too large, ever.
  virtual Status send(const KafkaOutRecord& record) = 0;
  /// Ends the epoch; answers its number, counting from 0.
  virtual uint64_t end_epoch() = 0;
  /// The first delivery that failed for good.
  virtual std::optional<Error> failure() = 0;

  // Any thread.
  /// Waits until everything of the epochs up to `epoch` is acknowledged; the error of the first failed delivery.
  virtual Status wait_epoch(uint64_t epoch) = 0;
  /// Makes every wait_epoch(), now and later, fail with kCancelled: the writer is gone.
  virtual void cancel() = 0;
};
using KafkaProducerClientPtr = std::shared_ptr<KafkaProducerClient>;  // shared with snapshots that wait

/// Settings of librdkafka as name and value, already checked.
using KafkaSettings = std::vector<std::pair<std::string, std::string>>;

Result<KafkaConsumerClientPtr> make_rd_consumer(const KafkaSettings& settings, bool with_headers, Waker* waker,
                                                KafkaTroubleCallback trouble);
Result<KafkaProducerClientPtr> make_rd_producer(const KafkaSettings& settings, const std::string& topic,
                                                const std::string& partitioner, Waker* waker,
                                                KafkaTroubleCallback trouble);

}  // namespace millrace
