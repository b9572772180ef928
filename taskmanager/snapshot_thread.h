// Writes snapshots of one job's tasks behind their backs: parts were frozen at the barrier, here they become files.
// Parts may wait (a Kafka sink for its delivery reports), workers never do. One thread per attempt of a job.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "core/file_system.h"
#include "state/protocol/task_snapshot.h"
#include "state/shared_uploads.h"
#include "state/snapshot.h"

namespace millrace {

class SnapshotThread {
 public:
  struct Work {
    TaskId task;
    int64_t checkpoint_id = 0;
    bool finished = false;
    std::vector<SnapshotPartPtr> parts;
  };
  struct Target {
    FileSystem* fs = nullptr;
    std::string job_directory;
    int64_t attempt = 0;
    uint32_t max_parallelism = 0;
    SharedUploads* uploads = nullptr;
  };
  /// `done` is called on the snapshot thread with the file, or with why there is none.
  using Done = std::function<void(const Work& work, const Result<SnapshotHandle>& result)>;

  SnapshotThread(Target target, Done done);
  /// Drops what is queued and waits for what is being written.
  ~SnapshotThread();
  SnapshotThread(const SnapshotThread&) = delete;
  SnapshotThread& operator=(const SnapshotThread&) = delete;

  void add(Work work);
  /// Snapshots of this checkpoint need not be written any more.
  void abort(int64_t checkpoint_id);

 private:
  void loop();
  Result<SnapshotHandle> write(Work& work);

  Target target_;
  Done done_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<Work> queue_;
  std::set<int64_t> aborted_;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace millrace
