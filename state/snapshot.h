// A task's part of a checkpoint. snapshot() of an operator runs on the worker between two batches and must be quick: it
// freezes (copy-on-write views, counters) and returns a SnapshotPart; write() runs later on the snapshot thread, may
// block (a Kafka sink waits there for delivery reports) and puts rows into the task's snapshot file. Rows are portable:
// they do not depend on memory layout, backend or parallelism (state/FORMAT.md).
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/status.h"
#include "data/key_format.h"
#include "plan/state_schema.h"
#include "state/protocol/task_snapshot.h"

namespace millrace {

/// Names a state inside a snapshot. `layout` says what lies in key and value (plan/state_schema.h); a different one on
/// restore is converted or refused before the task starts (state/protocol/state_plan.h).
struct StateDescriptor {
  std::string step;  // step id
  std::string name;  // state name inside the step, such as "window" or "splits"
  StateKind kind = StateKind::kKeyed;
  std::string layout;
  friend bool operator==(const StateDescriptor&, const StateDescriptor&) = default;
};

/// A file of a task's spill store inside a snapshot.
enum class SnapshotFileKind : uint8_t {
  kShared,  // immutable, under a name that no other file of the job ever has; written once for all checkpoints
  kOwn,     // of this snapshot alone; small ones are packed into the task's file
};

class SnapshotWriter {
 public:
  virtual ~SnapshotWriter() = default;
  /// Rows of one state in any order; `group` = key group (kKeyed), 0 (kSplit), subtask index (kSubtask).
  virtual Status begin(const StateDescriptor& state) = 0;
  virtual Status add(uint32_t group, std::string_view key, std::string_view value) = 0;
  /// A file on the local disk that belongs to the snapshot. `path` stays until the snapshot is written.
  virtual Status add_file(SnapshotFileKind /*kind*/, const std::string& name, const std::string& /*path*/) {
    return make_error(ErrorCode::kNotSupportedYet, "this snapshot cannot hold the file " + name);
  }
};

class SnapshotPart {
 public:
  virtual ~SnapshotPart() = default;
  virtual Status write(SnapshotWriter& writer) = 0;
};
using SnapshotPartPtr = std::unique_ptr<SnapshotPart>;

/// Rows captured at once; enough for small states.
class RowsSnapshot final : public SnapshotPart {
 public:
  explicit RowsSnapshot(StateDescriptor state) : state_(std::move(state)) {}
  void add(uint32_t group, std::string key, std::string value) {
    rows_.push_back({group, std::move(key), std::move(value)});
  }
  Status write(SnapshotWriter& writer) override {
    MR_TRY(writer.begin(state_));
    for (const Row& row : rows_) MR_TRY(writer.add(row.group, row.key, row.value));
    return {};
  }

 private:
  struct Row {
    uint32_t group;
    std::string key;
    std::string value;
  };
  StateDescriptor state_;
  std::vector<Row> rows_;
};

/// A file that a task added to its snapshot: at `path`, or packed into `content`.
struct RestoredFile {
  std::string name;
  std::string path;
  std::string content;
  uint64_t bytes = 0;
  uint64_t checksum = 0;  // hash64 of the content
};
struct RestoredStore {
  TaskId task;
  std::vector<RestoredFile> files;
};

/// The rows that a restored subtask may see: kKeyed filtered to its key groups, kSplit all, kSubtask by number.
class RestoredState {
 public:
  virtual ~RestoredState() = default;
  using RowVisitor = std::function<Status(uint32_t group, std::string_view key, std::string_view value)>;
  /// Visits nothing when the state does not exist. A layout other than `expected.layout` is kIncompatibleState.
  virtual Status visit(const StateDescriptor& expected, KeyGroupRange groups, uint32_t subtask, uint32_t parallelism,
                       const RowVisitor& visitor) const = 0;
  /// The files of each task of the checkpoint that added some.
  [[nodiscard]] virtual std::vector<RestoredStore> stores() const { return {}; }
  /// Puts a file onto the local disk: a hard link where that is possible, otherwise a copy whose checksum was compared.
  virtual Status fetch(const RestoredFile& file, const std::string& /*to*/) const {
    return make_error(ErrorCode::kMissingState, "there is no file " + file.name);
  }
};

}  // namespace millrace
