// A source connector: one reader per subtask. The runtime's source task around it decodes, assigns event times, keeps
// watermarks per split, routes bad records and saves positions; a reader only delivers bytes (or typed rows) and
// positions. Single-threaded; poll() never waits: it returns kNothing and notifies the waker when something may have
// arrived.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "core/clock.h"
#include "core/metrics.h"
#include "core/status.h"
#include "core/waker.h"
#include "data/batch.h"
#include "runtime/spi/record.h"

namespace millrace {

struct SplitState {
  std::string split;  // stable id such as "events/3" (topic/partition) or a path
  std::string state;  // the reader's own form: the next position, the stop position …
};

struct SourceContext {
  std::string source;  // id in the job file
  std::string job_name;
  uint32_t subtask = 0;
  uint32_t parallelism = 1;
  Clock* clock = nullptr;
  Waker* waker = nullptr;
  bool until_done = false;  // --until-done: stop at what is the end when the job first starts
  bool restored = false;
  std::vector<SplitState> splits;     // all restored splits of the source; a reader takes those it owns
  MetricRegistry* metrics = nullptr;  // may be null in tests
  Labels labels;                      // job_id, job_name, step, subtask
};

enum class PollResult : uint8_t {
  kData,       // `chunk` was filled
  kWatermark,  // the reader itself knows that no row of chunk.split at or below chunk.watermark will come
  kNothing,    // nothing now; the waker is notified (or next_poll_ms() tells when to try again)
  kEnd,        // bounded input: no split will ever deliver again
};

/// What one poll delivers: rows of one split.
struct SourceChunk {
  uint32_t split = 0;                        // index as announced by split_id()
  std::variant<RecordBatch, Batch> payload;  // raw records for a decoder, or rows of the source's declared schema
  int64_t watermark = 0;                     // kWatermark only
};

class SourceReader {
 public:
  virtual ~SourceReader() = default;
  virtual Status open(SourceContext& context) = 0;
  /// `max_rows` bounds the chunk (1 with `emit: record`). A reader may deliver less.
  virtual Result<PollResult> poll(uint32_t max_rows, SourceChunk& chunk) = 0;
  /// Splits known so far get numbers 0..split_count()-1, never renumbered while the reader lives.
  [[nodiscard]] virtual uint32_t split_count() const = 0;
  /// Whether the first look for splits is over: before, a reader without splits is not idle but about to have some. The
  /// waker tells when it is.
  [[nodiscard]] virtual bool splits_known() const { return true; }
  [[nodiscard]] virtual std::string split_id(uint32_t split) const = 0;
  /// Position behind the last row delivered, with everything needed to go on.
  [[nodiscard]] virtual std::string split_state(uint32_t split) const = 0;
  /// The split has delivered all that exists right now (end offset reached), for idleness.
  [[nodiscard]] virtual bool split_at_end(uint32_t split) const = 0;
  /// A bounded split is finished for good; its watermark no longer counts.
  [[nodiscard]] virtual bool split_finished(uint32_t split) const = 0;
  /// Event time reached by a split, so that a reader can keep its splits together.
  virtual void split_progress(uint32_t split, int64_t event_time_max) {
    (void)split;
    (void)event_time_max;
  }
  /// `max_drift`: splits whose progress is above `event_time` deliver nothing for now; the caller polls again by itself.
  /// False: the reader cannot, and is not polled while all its splits are above.
  virtual bool hold_above(int64_t event_time) {
    (void)event_time;
    return false;
  }
  /// Wall time at which poll() should be tried again though nothing woke the task; INT64_MAX: only when woken.
  [[nodiscard]] virtual int64_t next_poll_ms() const { return INT64_MAX; }
  /// After the checkpoint completed: states as returned at its barrier (Kafka commits group offsets for monitoring).
  virtual void checkpoint_completed(int64_t checkpoint_id, const std::vector<SplitState>& states) {
    (void)checkpoint_id;
    (void)states;
  }
};
using SourceReaderPtr = std::unique_ptr<SourceReader>;

}  // namespace millrace
