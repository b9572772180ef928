// Snapshots in memory for tests of operators: what SnapshotParts write, and the view of it that a restored subtask
// gets.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "plan/expr/function_registry.h"
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
};

}  // namespace millrace
