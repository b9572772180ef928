// Snapshots in memory for tests of operators: what SnapshotParts write, and the view of it that a restored subtask
// gets.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "plan/expr/function_registry.h"
#include "state/restored_stores.h"
#include "state/snapshot.h"

namespace millrace {

class MemorySnapshot final : public SnapshotWriter, public RestoredState {
 public:
  Status begin(const StateDescriptor& state) override;
  Status add(uint32_t group, std::string_view key, std::string_view value) override;
  Status visit(const StateDescriptor& expected, KeyGroupRange groups, uint32_t subtask, uint32_t parallelism,
               const RowVisitor& visitor) const override;
  [[nodiscard]] size_t rows() const;
  /// Reads every row by the layout of its state: kCorruptState where bind() describes other bytes than were written.
  [[nodiscard]] Status check_layouts(const FunctionRegistry& functions) const;
  /// Files added from now on are of this task.
  void begin_task(TaskId task) { task_ = task; }
  Status add_file(SnapshotFileKind kind, const std::string& name, const std::string& path) override;
  [[nodiscard]] std::vector<RestoredStore> stores() const override { return stores_; }
  Status fetch(const RestoredFile& file, const std::string& to) const override;

 private:
  struct Row {
    uint32_t group;
    std::string key;
    std::string value;
  };
  struct State {
    StateDescriptor descriptor;
    std::vector<Row> rows;
  };
  std::vector<State> states_;
  State* current_ = nullptr;
  TaskId task_;
  std::vector<RestoredStore> stores_;
  RestoredStores stored_{*this};
};

}  // namespace millrace
