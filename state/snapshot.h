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

namespace millrace {

/// How rows find their subtask after a rescale.
enum class StateKind : uint8_t {
  kKeyed,  // by key group
  kSplit,  // by the owner of the source split whose id is the row's key; every subtask sees all rows and takes its own
  kSubtask,  // by number: a row of key group i (= old subtask index) goes to subtask i mod parallelism (sink lanes)
};

/// Names a state inside a snapshot. `layout` is a text of key and value types; a different layout on restore is
/// refused.
struct StateDescriptor {
  std::string step;  // step id
  std::string name;  // state name inside the step, such as "window" or "splits"
  StateKind kind = StateKind::kKeyed;
  std::string layout;
  friend bool operator==(const StateDescriptor&, const StateDescriptor&) = default;
};

class SnapshotWriter {
 public:
  virtual ~SnapshotWriter() = default;
  /// Rows of one state in any order; `group` = key group (kKeyed), 0 (kSplit), subtask index (kSubtask).
  virtual Status begin(const StateDescriptor& state) = 0;
  virtual Status add(uint32_t group, std::string_view key, std::string_view value) = 0;
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

/// The rows that a restored subtask may see: kKeyed filtered to its key groups, kSplit all, kSubtask by number.
class RestoredState {
 public:
  virtual ~RestoredState() = default;
  using RowVisitor = std::function<Status(uint32_t group, std::string_view key, std::string_view value)>;
  /// Visits nothing when the state does not exist. A layout other than `expected.layout` is kIncompatibleState.
  virtual Status visit(const StateDescriptor& expected, KeyGroupRange groups, uint32_t subtask, uint32_t parallelism,
                       const RowVisitor& visitor) const = 0;
};

}  // namespace millrace
