#include "testing/memory_snapshot.h"

#include "core/file_system.h"
#include "runtime/state_rows/state_text.h"

namespace millrace {

Status MemorySnapshot::begin(const StateDescriptor& state) {
  for (State& known : states_) {
    if (known.descriptor == state) {
      current_ = &known;
      return {};
    }
  }
  states_.reserve(64);
  states_.push_back({state, {}});
  current_ = &states_.back();
  return {};
}

Status MemorySnapshot::add(uint32_t group, std::string_view key, std::string_view value) {
  current_->rows.push_back({group, std::string(key), std::string(value)});
  return {};
}

Status MemorySnapshot::visit(const StateDescriptor& expected, KeyGroupRange groups, uint32_t subtask,
                             uint32_t parallelism, const RowVisitor& visitor) const {
  for (const State& state : states_) {
    if (state.descriptor.step != expected.step || state.descriptor.name != expected.name) continue;
    if (state.descriptor.layout != expected.layout || state.descriptor.kind != expected.kind) {
      return make_error(ErrorCode::kIncompatibleState, "state `" + expected.name + "` has another layout: " +
                                                           state.descriptor.layout + " and " + expected.layout);
    }
    for (const Row& row : state.rows) {
      if (expected.kind == StateKind::kKeyed && !groups.contains(row.group)) continue;
      if (expected.kind == StateKind::kSubtask && row.group % parallelism != subtask) continue;
      MR_TRY(visitor(row.group, row.key, row.value));
    }
  }
  return stores_.empty() ? Status{} : stored_.visit(expected, groups, visitor);
}

Status MemorySnapshot::add_file(SnapshotFileKind /*kind*/, const std::string& name, const std::string& path) {
  if (stores_.empty() || stores_.back().task != task_) stores_.push_back({task_, {}});
  RestoredFile file;
  file.name = name;
  MR_ASSIGN(file.content, local_file_system().read_all(path));
  file.bytes = file.content.size();
  stores_.back().files.push_back(std::move(file));
  return {};
}

Status MemorySnapshot::fetch(const RestoredFile& file, const std::string& to) const {
  MR_ASSIGN(const std::unique_ptr<WritableFile> written, local_file_system().create(to));
  MR_TRY(written->append(file.content));
  return written->close();
}

size_t MemorySnapshot::rows() const {
  size_t rows = 0;
  for (const State& state : states_) rows += state.rows.size();
  return rows;
}

Status MemorySnapshot::check_layouts(const FunctionRegistry& functions) const {
  for (const State& state : states_) {
    const StateDescriptor& found = state.descriptor;
    if (!parse_state_layout(found.layout, found.name, found.kind)) {
      return make_error(ErrorCode::kIncompatibleState,
                        "state `" + found.name + "` has no layout that can be read: " + found.layout);
    }
    const auto text = StateText::make(found.layout, found.name, found.kind, functions);
    for (const Row& row : state.rows) MR_TRY(text->row(row.key, row.value));
  }
  return {};
}

}  // namespace millrace
