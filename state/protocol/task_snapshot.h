// Names a task and the file that holds its part of a checkpoint; used by messages, metadata and the coordinator.
#pragma once

#include <compare>
#include <cstdint>
#include <string>
#include <vector>

namespace millrace {

/// One subtask: node chains are numbered by the physical plan, which every process derives alike.
struct TaskId {
  uint32_t chain = 0;
  uint32_t subtask = 0;
  friend bool operator==(const TaskId&, const TaskId&) = default;
  friend auto operator<=>(const TaskId&, const TaskId&) = default;
};

/// An immutable file in the job's shared/, held by every checkpoint that names it: an SST file of a spill store.
struct SharedFile {
  std::string name;  // never used twice in a job
  uint64_t bytes = 0;
  uint64_t checksum = 0;  // hash64 of the content
  friend bool operator==(const SharedFile&, const SharedFile&) = default;
};

/// Where a task's snapshot of a checkpoint lies. A task without any state has no file: `file` is empty, `bytes` is 0.
struct SnapshotHandle {
  TaskId task;
  std::string file;  // relative to the job's directory, or absolute
  uint64_t bytes = 0;
  uint32_t crc = 0;                  // of the file's footer
  std::vector<SharedFile> shared{};  // a name without a path lies in the job's shared/
  std::vector<SharedFile> own{};     // of this snapshot alone; like `file`, beside which they lie
  uint64_t written = 0;              // bytes that storage did not hold before this snapshot

  /// All that a restore needs of it.
  [[nodiscard]] uint64_t full_bytes() const {
    uint64_t sum = bytes;
    for (const SharedFile& one : shared) sum += one.bytes;
    for (const SharedFile& one : own) sum += one.bytes;
    return sum;
  }
  friend bool operator==(const SnapshotHandle&, const SnapshotHandle&) = default;
};

}  // namespace millrace
