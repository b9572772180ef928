// Names a task and the file that holds its part of a checkpoint; used by messages, metadata and the coordinator.
#pragma once

#include <compare>
#include <cstdint>
#include <string>

namespace millrace {

/// One subtask: node chains are numbered by the physical plan, which every process derives alike.
struct TaskId {
  uint32_t chain = 0;
  uint32_t subtask = 0;
  friend bool operator==(const TaskId&, const TaskId&) = default;
  friend auto operator<=>(const TaskId&, const TaskId&) = default;
};

/// Where a task's snapshot of a checkpoint lies. A task without any state has no file: `file` is empty, `bytes` is 0.
struct SnapshotHandle {
  TaskId task;
  std::string file;  // relative to the job's directory, or absolute
  uint64_t bytes = 0;
  uint32_t crc = 0;  // of the file's footer
  friend bool operator==(const SnapshotHandle&, const SnapshotHandle&) = default;
};

}  // namespace millrace
