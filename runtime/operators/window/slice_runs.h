// The panes of a SliceStore that left memory, as runs in the task's store. Key: state, pane, number of the run, key
// group, user key; so a pane is one range, runs do not overlap, and an expired pane goes by whole files. A snapshot
// writes the changed rows of each table under the number of the run that the table will become. Worker's thread.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "runtime/operators/window/slices.h"
#include "state/spill_buffer.h"
#include "state/task_store.h"

namespace millrace {

class SliceRuns final : public SpillableState {
 public:
  SliceRuns(SliceStore& slices, TaskStore& store, uint32_t max_parallelism);
  ~SliceRuns() override;
  SliceRuns(const SliceRuns&) = delete;
  SliceRuns& operator=(const SliceRuns&) = delete;

  /// True: the restored store holds the rows; their panes are open.
  Result<bool> open(const StateDescriptor& state);
  [[nodiscard]] bool spilled() const { return spilled_; }

  /// Rows of one run of a pane, by key group and key.
  [[nodiscard]] std::unique_ptr<SpillCursor> rows(int64_t pane, uint32_t run) const;
  /// Group and user key of a cursor's row.
  [[nodiscard]] std::string_view group_and_key(const SpillCursor& cursor) const {
    return cursor.key().substr(prefix_.size() + sizeof(int64_t) + sizeof(uint32_t));
  }
  /// Adds what the runs of the pane have of a key to `into`.
  Status add_key(const Slice& slice, uint64_t hash, std::string_view key, char* into, BlobPool& blobs) const;
  /// Forgets a pane.
  Status drop(int64_t pane);
  /// Null while nothing was spilled.
  SnapshotPartPtr snapshot();
  [[nodiscard]] uint32_t max_parallelism() const { return max_parallelism_; }

  [[nodiscard]] size_t memory_bytes() const override;
  Result<size_t> spill(size_t bytes) override;

 private:
  class Part;
  static std::string run_prefix(std::string_view prefix, int64_t pane, uint32_t run);
  static void add_row(SpillBuffer& buffer, std::string_view run_prefix, uint32_t group, std::string_view key,
                      std::string_view value);
  Status find_panes();
  Status drop_deferred();
  Result<size_t> spill_slice(Slice& slice);

  SliceStore& slices_;
  TaskStore& store_;
  uint32_t max_parallelism_;
  std::string prefix_;
  bool spilled_ = false;
  std::vector<int64_t> dropped_;  // while a snapshot was being written that holds them
};

}  // namespace millrace
