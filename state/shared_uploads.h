// How immutable files of spill stores get into <job>/shared/, on a task manager: a file that a completed checkpoint
// holds is not written again, nor one whose upload for a failed checkpoint was finished. One per attempt of a job. The
// snapshot thread uploads; completions come from another thread. Invariant: what is taken for granted here is held by
// the newest completed checkpoint, which its owner keeps until the next one completed.
#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <span>
#include <string>

#include "core/file_copy.h"
#include "core/file_system.h"
#include "core/status.h"
#include "state/protocol/task_snapshot.h"

namespace millrace {

class SharedUploads {
 public:
  /// `storage` holds the job's directory, `local` the files to upload.
  SharedUploads(FileSystem& storage, FileSystem& local, std::string job_directory)
      : storage_(storage), local_(local), job_directory_(std::move(job_directory)) {}

  /// The attempt starts from this checkpoint. Files of another job's directory count for nothing.
  void restored(std::span<const SnapshotHandle> handles);

  struct Upload {
    SharedFile file;
    uint64_t written = 0;
  };
  /// Whole and synced under its name when it returns; the name becomes durable with the checkpoint. `by` is unique
  /// among those that may upload the same file at one time.
  Result<Upload> upload(const std::string& name, const std::string& path, const std::string& by);

  /// What the files of a checkpoint's snapshots named; with its completion they are confirmed.
  void snapshot_written(int64_t checkpoint_id, const SnapshotHandle& handle);
  void checkpoint_completed(int64_t checkpoint_id);

 private:
  struct Known {
    std::optional<FileDigest> digest;
    bool confirmed = false;
    bool uploaded = false;
  };
  Known look_up(const std::string& name);
  [[nodiscard]] bool holds(const std::string& target, const FileDigest& digest, bool written_by_us) const;
  Status put(const std::string& path, const std::string& target, const FileDigest& digest,
             const std::string& temporary);

  FileSystem& storage_;
  FileSystem& local_;
  std::string job_directory_;
  std::mutex mutex_;
  std::map<std::string, FileDigest> digests_;  // so that no file is read twice
  std::set<std::string> confirmed_;
  std::set<std::string> uploaded_;  // finished since the last completion
  std::map<int64_t, std::set<std::string>> pending_;
};

}  // namespace millrace
