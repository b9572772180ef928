// The seam of a target that can publish exactly once: an outside system with an atomic marker (a Kafka transaction with
// a progress record, a table row in the same transaction, a file that appears by rename). The protocol around it
// (segments, entries, parts, recovery, acknowledgements) is runtime/exactly_once; a connector writes the two classes
// below and registers a factory in Factories::exactly_once.
//
// Words: lane = one sequential output stream of a sink; epoch = checkpoint id. A row is opaque bytes that prepare()
// makes on the worker and commit() gets back, on a committer thread, after the checkpoint completed.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/clock.h"
#include "core/metrics.h"
#include "core/status.h"
#include "data/batch.h"
#include "runtime/spi/operator.h"
#include "state/protocol/commit_decision.h"

namespace millrace {

struct LaneId {
  std::string job_id;
  std::string sink;
  uint32_t lane = 0;
  uint32_t lanes = 1;  // lanes of the sink so far, this one among them
  /// "<job_id>-<sink>-<lane>": the marker's key, and part of names in the outside system.
  [[nodiscard]] std::string text() const { return job_id + "-" + sink + "-" + std::to_string(lane); }
};

struct TargetContext {
  std::string sink;
  std::string job_id;
  std::string job_name;
  uint32_t subtask = 0;
  uint32_t parallelism = 1;
  Clock* clock = nullptr;
  MetricRegistry* metrics = nullptr;  // may be null
  Labels labels;
  /// Set when the sink goes away: calls that wait should give up soon (kCancelled).
  const std::atomic<bool>* stopping = nullptr;
};

/// Takes the serialised rows of a batch.
class PreparedRows {
 public:
  virtual ~PreparedRows() = default;
  virtual Status add(std::string_view row) = 0;
};

/// Gives back the rows of one part, in order.
class PartRows {
 public:
  virtual ~PartRows() = default;
  /// False: no more. `row` is valid until the next call.
  virtual Result<bool> next(std::string_view& row) = 0;
  /// Back to the first row of the part.
  virtual void rewind() = 0;
};

/// One session with the outside system for one lane; used for one last_committed() and at most one commit(), then
/// dropped, always after an error. Committer thread.
class LaneSession {
 public:
  virtual ~LaneSession() = default;
  /// Fences whoever wrote the lane before, waits until its last transaction is settled, then reads the marker.
  /// Nothing: the lane has none.
  virtual Result<std::optional<CommitMarker>> last_committed() = 0;
  /// One transaction that holds the rows and the marker; `rows` is null when only the marker is written (a claim).
  /// `target` is what the entry recorded (ExactlyOnceTarget::target()). A transient error means unknown: a new session
  /// will ask the marker. A permanent one names the row where it can ("row 17: ...") and fails the job.
  virtual Status commit(const CommitMarker& marker, const std::string& target, PartRows* rows) = 0;
};

/// A part that the lane's marker covers, with the rows that were written ahead.
struct PublishedPart {
  LaneId lane;
  CommitMarker marker;
  std::string target;
  std::unique_ptr<PartRows> rows;
};

class ExactlyOnceTarget {
 public:
  virtual ~ExactlyOnceTarget() = default;
  /// Worker thread, before anything else; must not wait for the outside system longer than a moment.
  virtual Status open(const TargetContext& context) = 0;
  /// Where rows go, as an entry records it ("topic", "table", "directory").
  [[nodiscard]] virtual std::string target() const = 0;
  /// Serialises the selected rows of a batch. What can be checked is checked here, because a row that is refused at
  /// commit stops the lane: such rows are kOutputRefused, or go to port 0 of `dead_letters` when on_error says so.
  virtual Status prepare(const Batch& batch, PreparedRows& rows, Output& dead_letters) = 0;
  /// Threads of the committer, beside prepare() and each other.
  virtual Result<std::unique_ptr<LaneSession>> open_session(const LaneId& lane) = 0;
  /// All lanes of this job and sink that may have a marker have smaller numbers. A state that is older than some of
  /// them does not know them, and must not repeat what they published. Committer thread.
  virtual Result<uint32_t> known_lanes() = 0;
  /// For `millrace audit`, while nothing runs: a sentence for each of these parts that is not there as it was written.
  /// kNotSupportedYet: the target cannot tell (its rows may be changed by others).
  virtual Result<std::vector<std::string>> audit(std::vector<PublishedPart> parts) {
    (void)parts;
    return make_error(ErrorCode::kNotSupportedYet, "rows of this target are not compared, only its markers");
  }
  /// A row of prepare() for people.
  [[nodiscard]] virtual std::string row_text(std::string_view row) const { return std::string(row); }
};
using ExactlyOnceTargetPtr = std::unique_ptr<ExactlyOnceTarget>;

}  // namespace millrace
