#include "taskmanager/snapshot_thread.h"

#include "state/snapshot_file.h"

namespace millrace {

SnapshotThread::SnapshotThread(Target target, Done done)
    : target_(std::move(target)), done_(std::move(done)), thread_([this] { loop(); }) {}

SnapshotThread::~SnapshotThread() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    queue_.clear();
  }
  wake_.notify_one();
  thread_.join();
}

void SnapshotThread::add(Work work) {
  {
    const std::lock_guard lock(mutex_);
    if (stopping_) return;
    queue_.push_back(std::move(work));
  }
  wake_.notify_one();
}

void SnapshotThread::abort(int64_t checkpoint_id) {
  const std::lock_guard lock(mutex_);
  aborted_.insert(checkpoint_id);
  std::erase_if(queue_, [&](const Work& work) { return work.checkpoint_id == checkpoint_id; });
}

void SnapshotThread::loop() {
  std::unique_lock lock(mutex_);
  while (true) {
    wake_.wait(lock, [&] { return stopping_ || !queue_.empty(); });
    if (stopping_) return;
    Work work = std::move(queue_.front());
    queue_.pop_front();
    if (aborted_.contains(work.checkpoint_id)) continue;
    lock.unlock();
    done_(work, write(work));
    // Frozen pages and blobs are released outside the lock.
    work.parts.clear();
    lock.lock();
  }
}

Result<SnapshotHandle> SnapshotThread::write(Work& work) {
  SnapshotFileWriter writer(*target_.fs, target_.job_directory,
                            snapshot_file_name(work.checkpoint_id, target_.attempt, work.task), target_.max_parallelism,
                            target_.uploads);
  for (const SnapshotPartPtr& part : work.parts) MR_TRY(part->write(writer));
  MR_ASSIGN(SnapshotHandle handle, writer.finish(work.task));
  if (target_.uploads != nullptr) target_.uploads->snapshot_written(work.checkpoint_id, handle);
  return handle;
}

}  // namespace millrace
