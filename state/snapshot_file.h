// One task's file of a checkpoint (state/FORMAT.md): rows of each state sorted by (group, key) in checksummed blocks of
// about 64 KB, an index by key group, a footer; and the files of the task's spill store that belong to it. The writer
// belongs to the snapshot thread of one task; RestoredSnapshots is read by any number of threads at once. No byte of a
// file is believed before its checksum was compared.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/file_system.h"
#include "core/status.h"
#include "state/protocol/task_snapshot.h"
#include "state/shared_uploads.h"
#include "state/snapshot.h"

namespace millrace {

/// "chk-<checkpoint>/<chain>-<subtask>-<attempt>.state", relative to the job's directory. The attempt keeps files of a
/// task that was left behind apart from those of its successor.
std::string snapshot_file_name(int64_t checkpoint_id, int64_t attempt, TaskId task);

/// Writes the snapshot of one task. The file is created with the first state, so a task without state costs no fsync.
/// Use: SnapshotPart::write(writer) for each part, then finish(). Destroyed without finish(): the file is not valid.
class SnapshotFileWriter final : public SnapshotWriter {
 public:
  /// `file` is relative to `job_directory`. Missing directories are made. `local` is where added files lie; without
  /// `uploads` nothing is known of shared files but what storage holds.
  SnapshotFileWriter(FileSystem& fs, std::string job_directory, std::string file, uint32_t max_parallelism,
                     SharedUploads* uploads = nullptr, FileSystem& local = local_file_system());
  ~SnapshotFileWriter() override;
  SnapshotFileWriter(const SnapshotFileWriter&) = delete;
  SnapshotFileWriter& operator=(const SnapshotFileWriter&) = delete;

  /// Each (step, name) once.
  Status begin(const StateDescriptor& state) override;
  Status add(uint32_t group, std::string_view key, std::string_view value) override;
  /// Each name once. Shared ones go to <job>/shared, others into the task's file (below 64 KiB) or beside it.
  Status add_file(SnapshotFileKind kind, const std::string& name, const std::string& path) override;
  /// The content is durable afterwards (one fsync). The directory entry is made durable by CheckpointStore::complete.
  Result<SnapshotHandle> finish(TaskId task);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// What a snapshot holds of one state, summed over files.
struct SnapshotStateInfo {
  StateDescriptor state;
  uint64_t rows = 0;
  uint64_t bytes = 0;
};

/// The files of one checkpoint, opened for restore. Header, footer and index are verified by open(), blocks when
/// visited.
class RestoredSnapshots final : public RestoredState {
 public:
  /// `max_parallelism` is the job's; files of another one are kIncompatibleState, damaged or missing ones
  /// kCorruptState. fetch() puts files onto `local`.
  static Result<std::shared_ptr<const RestoredSnapshots>> open(FileSystem& fs, const std::string& job_directory,
                                                               std::span<const SnapshotHandle> handles,
                                                               uint32_t max_parallelism,
                                                               FileSystem& local = local_file_system());
  ~RestoredSnapshots() override;

  Status visit(const StateDescriptor& expected, KeyGroupRange groups, uint32_t subtask, uint32_t parallelism,
               const RowVisitor& visitor) const override;
  /// Files that do not exist or have another size are found by fetch() and verify().
  [[nodiscard]] std::vector<RestoredStore> stores() const override;
  /// kCorruptState names a missing or damaged file. A shared one that could be linked had only its size compared.
  Status fetch(const RestoredFile& file, const std::string& to) const override;
  /// All states in order of step and name.
  [[nodiscard]] std::vector<SnapshotStateInfo> states() const;
  /// Reads every block of every file, shared ones too: kCorruptState names the first damaged file.
  [[nodiscard]] Status verify() const;

 private:
  struct Impl;
  explicit RestoredSnapshots(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace millrace
