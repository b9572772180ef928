#include "state/checkpoint_store.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "core/crash_point.h"
#include "state/directory_lock.h"
#include "state/job_directory.h"
#include "state/job_record.h"
#include "state/savepoint.h"
#include "state/shared_directory.h"

namespace millrace {

namespace {

// Ids reserved with one durable write; a crash skips at most this many.
constexpr int64_t kIdBlock = 16;

Status check_max_parallelism(uint32_t saved, uint32_t wanted, const std::string& where) {
  if (saved == wanted) return {};
  return make_error(ErrorCode::kIncompatibleState,
                    fmt::format("{} was written with max_parallelism {}, the job has {}", where, saved, wanted),
                    fmt::format("set settings.max_parallelism to {}, or start with --fresh", saved));
}

}  // namespace

struct CheckpointStore::Impl {
  FileSystem& fs;
  Random& random;
  const Clock& clock;
  std::string directory;
  std::unique_ptr<DirectoryLock> lock;
  StartDecision decision = StartDecision::kFirst;
  JobRecord record;
  int64_t reserved = 1;  // what the record says: ids below are ours to give out
  std::vector<int64_t> completed;
  std::vector<int64_t> older;  // completed ones of earlier lines, removed after the first completion of this one
  // Have their name, which may not be durable. A successor may restore them at any moment, so they are never removed.
  std::vector<int64_t> doubtful;
  std::optional<uint64_t> raise_in_doubt;  // incarnation of a raise that seemed to fail and may have happened
  bool first_of_directory = false;         // its entry and those of the directories above may not be durable yet
  SharedDirectory shared;
  std::set<int64_t> given_up{};  // cannot complete any more; late files of theirs may still come
  bool orphans = false;          // there may be files in shared/ that no checkpoint holds

  [[nodiscard]] std::string chk(int64_t id) const { return checkpoint_path(directory, id); }

  // The first record of an attempt replaces none: of two starts that saw the same attempt before, one gets the next,
  // and what a process writes that froze in between is older than what its successor wrote. Later ones replace it.
  // A fresh job may lose its directory entry in a crash: then it never was, and its first checkpoint makes it durable.
  Status write_record(bool first_of_attempt, bool durable_entry) {
    JobRecord written = record;
    written.next_checkpoint_id = reserved;
    // A name of our own: a process that froze while it wrote must not write into what its successor renamed.
    const std::string temporary =
        join_path(directory, fmt::format("{}{}-{:x}.tmp", kRecordTemporary, record.attempt, record.incarnation));
    const std::string path = job_record_path(directory, record.attempt);
    MR_ASSIGN(auto file, fs.create(temporary));
    MR_TRY(file->append(encode_job_record(written)));
    const IfTaken if_taken = first_of_attempt ? IfTaken::kRefuse : IfTaken::kReplace;
    const auto entry = durable_entry ? EntryDurability::kNow : EntryDurability::kLater;
    Status named = fs.publish(*file, temporary, path, if_taken, entry);
    if (!named && named.error().code == ErrorCode::kRefusedByState) {
      if (!is_object_path(temporary)) (void)fs.remove(temporary);
      return make_error(ErrorCode::kSuperseded, directory + ": another process started this job at the same moment");
    }
    return named;
  }

  Status check_ownership() {
    if (seeded_bug("one_owner")) return {};
    MR_ASSIGN(const std::optional<JobRecord> now, read_job_record(fs, directory));
    if (now && now->attempt == record.attempt && now->incarnation == record.incarnation) return {};
    if (now && raise_in_doubt && now->attempt == record.attempt + 1 && now->incarnation == *raise_in_doubt) {
      record.attempt = now->attempt;
      record.incarnation = now->incarnation;
      raise_in_doubt.reset();
      return {};
    }
    return make_error(ErrorCode::kSuperseded, fmt::format("{}: attempt {} is running now, this process is attempt {}",
                                                          directory, now ? now->attempt : 0, record.attempt));
  }

  // The lock file moves along and stays ours until the new directory is locked.
  Status move_aside(bool with_lock) {
    std::string aside;
    for (int n = 1; aside.empty(); ++n) {
      const std::string name = fmt::format("{}.old-{}", directory, n);
      MR_ASSIGN(const bool taken, fs.contains(name));
      if (!taken) aside = name;
    }
    MR_TRY(fs.rename(directory, aside));
    MR_TRY(fs.create_directories(directory));
    if (with_lock) {
      MR_ASSIGN(lock, DirectoryLock::acquire(directory, false));
    }
    return {};
  }

  // The state of --restore and --fork: identity and attempts seen there.
  Status adopt(const std::string& path, bool fork, const OpenJob& job, bool real_files) {
    MR_ASSIGN(const CheckpointMetadata metadata, read_checkpoint(fs, path));
    MR_TRY(check_max_parallelism(metadata.max_parallelism, job.max_parallelism, path));
    const std::string parent = parent_path(absolute_path(path));
    if (!fork) {
      const bool lockable = real_files && !is_object_path(parent);
      if (parent != absolute_path(directory) && lockable && fs.exists(join_path(parent, "lock"))) {
        MR_TRY(DirectoryLock::acquire(parent, false));  // refused while the original runs; given back at once
      }
      record.job_id = metadata.job_id;
      // Ids go on above those of the original: the targets' markers hold its epochs.
      const auto original = read_job_record(fs, parent);
      if (original && *original) {
        record.attempt = std::max(record.attempt, (*original)->attempt);
        record.next_checkpoint_id = std::max(record.next_checkpoint_id, (*original)->next_checkpoint_id);
      }
      record.next_checkpoint_id = std::max(record.next_checkpoint_id, metadata.checkpoint_id + 1);
      if (parent != absolute_path(directory)) {
        MR_TRY(copy_segments(fs, join_path(parent, "segments"), join_path(directory, "segments")));
      }
      // A savepoint has its own.
      MR_TRY(copy_segments(fs, join_path(absolute_path(path), "segments"), join_path(directory, "segments")));
      record.attempt = std::max(record.attempt, metadata.attempt);
    } else {
      record.job_id = JobId::generate(random);
    }
    record.restored_from = absolute_path(path);
    return {};
  }

  // `seen`: the greatest attempt of the directory, also when its record is damaged or was moved away.
  Status begin_line(const OpenJob& job, const FoundCheckpoints& found, std::optional<JobRecord> old, int64_t seen) {
    if (old) record = std::move(*old);
    record.next_checkpoint_id = std::max(record.next_checkpoint_id, found.greatest + 1);
    switch (decision) {
      case StartDecision::kFirst:
      case StartDecision::kFreshAside:
      case StartDecision::kFreshEnded:
        record.job_id = JobId::generate(random);
        record.restored_from.clear();
        break;
      case StartDecision::kRestorePath:
        MR_TRY(adopt(job.start.restore, false, job, job.lock));
        break;
      case StartDecision::kForkPath:
        MR_TRY(adopt(job.start.fork, true, job, job.lock));
        break;
      case StartDecision::kResume: {
        const bool any = !found.completed.empty() && found.completed.back() >= record.first_checkpoint_id;
        if (any || !record.restored_from.empty()) {
          MR_TRY(check_max_parallelism(record.max_parallelism, job.max_parallelism, directory));
        }
        break;
      }
    }
    if (decision != StartDecision::kResume) record.first_checkpoint_id = record.next_checkpoint_id;
    if (decision != StartDecision::kResume || record.spec != job.spec) record.checkpoint_changes.clear();
    record.name = job.name;
    record.spec = job.spec;
    record.max_parallelism = job.max_parallelism;
    record.status = JobStatus::kRunning;
    record.attempt = std::max(record.attempt, seen) + 1;
    record.incarnation = random.next();
    reserved = record.next_checkpoint_id + kIdBlock;
    return {};
  }

  // After the attempt was raised: a frozen former owner cannot complete anything any more. We may be frozen ourselves
  // while successors run, so what has a greater attempt or id than what there was before us is not ours to touch.
  Status sweep() {
    MR_TRY(check_ownership());
    const int64_t before = record.next_checkpoint_id;
    MR_ASSIGN(const std::vector<DirEntry> entries, fs.list(directory));
    int64_t used = 0;
    for (const DirEntry& entry : entries) {
      const int64_t attempt = attempt_of(entry.name, kRecordBegin);
      if (attempt > 0 && attempt < record.attempt) {
        // Its owner may have reserved ids since we read it; from now on it learns that it lost the job.
        used = std::max(used, reserved_by(attempt));
        (void)fs.remove(job_record_path(directory, attempt));
      }
      const int64_t unfinished = attempt_of(entry.name, kRecordTemporary);
      if (unfinished > 0 && unfinished < record.attempt) (void)fs.remove(join_path(directory, entry.name));
    }
    MR_TRY(fence_unfinished(before));
    MR_ASSIGN(const FoundCheckpoints found, find_checkpoints(fs, directory));
    std::vector<int64_t> all = found.completed;
    for (const int64_t id : found.unfinished) {
      if (id >= before) continue;
      if (fence(id)) {
        MR_TRY(remove_unfinished(id, found));
      } else {
        all.push_back(id);
      }
    }
    std::sort(all.begin(), all.end());
    completed.clear();
    older.clear();
    for (const int64_t id : all) (id >= record.first_checkpoint_id ? completed : older).push_back(id);
    sweep_shared();
    used = std::max(used, found.greatest + 1);
    if (used > before) {
      record.next_checkpoint_id = used;
      reserved = used + kIdBlock;
      return write_record(false, true);
    }
    return {};
  }

  // A former owner may be frozen between its last look at the records and its last write, which gives a checkpoint its
  // _metadata. On a disk that write fails once the directory is gone. Object storage has no directories: there an empty
  // _metadata takes the name, or finds that the checkpoint was completed after all.
  Status fence_unfinished(int64_t before) {
    if (!is_object_path(directory)) return {};
    MR_ASSIGN(const FoundCheckpoints found, find_checkpoints(fs, directory));
    for (const int64_t id : found.unfinished) {
      if (id >= before || id < newest_of(found)) continue;
      const std::string path = join_path(chk(id), kMetadataName);
      MR_ASSIGN(const auto empty, fs.create(path));
      Status taken = fs.publish(*empty, path, path, IfTaken::kRefuse, EntryDurability::kNow);
      if (!taken && taken.error().code != ErrorCode::kRefusedByState) return taken;
    }
    return {};
  }

  static int64_t newest_of(const FoundCheckpoints& found) {
    return found.completed.empty() ? 0 : found.completed.back();
  }

  // Whatever is older than a completed checkpoint cannot be restored by mistake; until then the fence stays.
  Status remove_unfinished(int64_t id, const FoundCheckpoints& found) {
    if (!is_object_path(directory) || id < newest_of(found)) {
      (void)fs.remove_all(chk(id));
      return {};
    }
    MR_ASSIGN(const std::vector<DirEntry> files, fs.list(chk(id)));
    for (const DirEntry& file : files) {
      if (file.name != kMetadataName) (void)fs.remove(join_path(chk(id), file.name));
    }
    return {};
  }

  // Takes away what a frozen owner needs to complete its checkpoint on a disk: afterwards it cannot. False: it was
  // quicker. An object's fence stands already.
  bool fence(int64_t id) {
    if (is_object_path(directory)) {
      given_up.insert(id);
      return true;
    }
    const auto entries = fs.list(chk(id));
    for (size_t i = 0; entries && i < entries->size(); ++i) {
      const std::string& name = (*entries)[i].name;
      if (name != kMetadataName && name.starts_with(kMetadataName)) (void)fs.remove(join_path(chk(id), name));
    }
    return !fs.exists(join_path(chk(id), kMetadataName));
  }

  void hold_shared(int64_t id) {
    const Result<CheckpointMetadata> metadata = read_checkpoint(fs, chk(id));
    if (metadata) {
      shared.hold(id, metadata->handles);
    } else {
      shared.hold_unread(id);
    }
  }

  // Removes files that no checkpoint holds: of attempts that crashed, of checkpoints that failed. In this order:
  //   names      what is there. Later ones may be a successor's, and are not touched.
  //   unfinished an older owner's checkpoint that might still complete: then nothing is sure, the next sweep will do.
  //   held       by every checkpoint there is
  //   ownership  when we still own the job, every name seen above is of our tasks or older ones', and a successor will
  //              only use what checkpoints hold, or names of its own.
  void sweep_shared() {
    const std::vector<std::string> names = shared.list();
    if (names.empty()) return;
    const Result<FoundCheckpoints> found = find_checkpoints(fs, directory);
    if (!found) return;
    for (const int64_t id : found->unfinished) {
      if (!given_up.contains(id) || !remove_unfinished(id, *found)) return;
    }
    for (const int64_t id : found->completed) {
      if (!shared.holds(id)) hold_shared(id);
    }
    const std::vector<std::string> free = shared.unheld(names);
    if (free.empty()) return;
    // A checkpoint that was removed must not come back without its files when the power fails.
    if (!fs.sync_directory(directory) || !check_ownership()) return;
    shared.remove(free);
  }

  Status remove_checkpoint(int64_t id) {
    // Without its metadata first: a half-removed directory must not look like a checkpoint.
    const std::string metadata = join_path(chk(id), kMetadataName);
    MR_ASSIGN(const bool there, fs.contains(metadata));
    if (there) MR_TRY(fs.remove(metadata));
    crash_point("remove.metadata");
    if (const std::vector<std::string> free = shared.release(id); !free.empty()) {
      if (fs.sync_directory(chk(id)) && check_ownership()) {
        shared.remove(free);
      } else {
        orphans = true;
      }
    }
    crash_point("remove.shared");
    return fs.remove_all(chk(id));
  }

  int64_t reserved_by(int64_t attempt) {
    const std::string path = job_record_path(directory, attempt);
    const Result<std::string> bytes = fs.read_all(path);
    if (!bytes) return 0;
    const Result<JobRecord> other = decode_job_record(*bytes, path);
    return other ? other->next_checkpoint_id : 0;
  }

  // A seeded bug: the output of an aborted checkpoint goes out with the next one, so it must stay.
  void remove_segments(int64_t id) {
    const auto names = [this](const std::string& path) {
      std::vector<std::string> paths;
      auto entries = fs.list(path);
      for (size_t i = 0; entries && i < entries->size(); ++i) paths.push_back(join_path(path, (*entries)[i].name));
      return paths;
    };
    for (const std::string& sink : names(join_path(directory, "segments"))) {
      for (const std::string& lane : names(sink)) {
        (void)fs.remove(join_path(lane, fmt::format("{}-{}", id, record.attempt)));
      }
    }
  }

  Status publish(const CheckpointMetadata& metadata) {
    const std::string target = chk(metadata.checkpoint_id);
    const std::string temporary = join_path(target, fmt::format("_metadata.{:x}.tmp", record.incarnation));
    MR_ASSIGN(auto file, fs.create(temporary));
    MR_TRY(file->append(encode_checkpoint_metadata(metadata)));
    // The files of the tasks get their durable entries before the name that makes the checkpoint exist.
    MR_TRY(fs.sync_directory(target));
    MR_TRY(fs.sync_directory(directory));
    if (first_of_directory && !is_object_path(directory)) {
      MR_TRY(fs.sync_directory(parent_path(directory)));
      // Some of those above may be new as well; one that cannot be opened is not ours.
      for (std::string above = parent_path(parent_path(directory)); above.size() > 1; above = parent_path(above)) {
        (void)fs.sync_directory(above);
      }
      (void)fs.sync_directory("/");
      first_of_directory = false;
    }
    MR_TRY(check_ownership());
    const std::string path = join_path(target, kMetadataName);
    Status named = fs.publish(*file, temporary, path, IfTaken::kRefuse, EntryDurability::kNow);
    if (!named && named.error().code == ErrorCode::kRefusedByState) {
      return make_error(ErrorCode::kSuperseded, target + " was completed or given up by another process");
    }
    // On object storage a request that seemed to fail may still be carried out.
    if (!named && (is_object_path(path) || fs.exists(path))) doubtful.push_back(metadata.checkpoint_id);
    return named;
  }
};

CheckpointStore::CheckpointStore(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
CheckpointStore::~CheckpointStore() = default;

Result<std::unique_ptr<CheckpointStore>> CheckpointStore::open(FileSystem& fs, Random& random, const Clock& clock,
                                                               const OpenJob& job) {
  if (job.name.empty() || job.name.front() == '.' || job.name.find('/') != std::string::npos) {
    return make_error(ErrorCode::kBadValue, "the job name `" + job.name + "` cannot be the name of a directory");
  }
  const std::string directory = absolute_path(join_path(job.root, job.name));
  std::unique_ptr<Impl> impl(
      new Impl{fs, random, clock, directory, {}, {}, {}, 1, {}, {}, {}, {}, false, SharedDirectory(fs, directory)});
  MR_TRY(fs.create_directories(impl->directory));
  const bool lock = job.lock && !is_object_path(impl->directory);
  if (lock) {
    MR_ASSIGN(impl->lock, DirectoryLock::acquire(impl->directory, job.start.take_over));
  }
  MR_ASSIGN(const int64_t seen, newest_attempt(fs, impl->directory));
  auto old = read_job_record(fs, impl->directory);
  if (!old && old.error().code == ErrorCode::kCorruptState && (job.start.fresh || !job.start.restore.empty())) {
    old = std::optional<JobRecord>();  // the way out of a damaged record
    if (job.start.fresh) MR_TRY(impl->move_aside(lock));
  }
  if (!old) return std::unexpected(std::move(old).error());
  impl->decision = decide_start(job.start, {old->has_value(), *old ? (*old)->status : JobStatus::kRunning});
  if (impl->decision == StartDecision::kFreshAside) {
    MR_TRY(impl->move_aside(lock));
    old->reset();
  }
  MR_ASSIGN(const FoundCheckpoints found, find_checkpoints(fs, impl->directory));
  const bool first = !old->has_value();
  MR_TRY(impl->begin_line(job, found, std::move(*old), seen));
  const bool new_directory = first && found.greatest == 0;
  impl->first_of_directory = first || found.completed.empty();
  MR_TRY(impl->write_record(true, !new_directory));
  MR_TRY(impl->sweep());
  return std::unique_ptr<CheckpointStore>(new CheckpointStore(std::move(impl)));
}

const std::string& CheckpointStore::directory() const { return impl_->directory; }
const JobRecord& CheckpointStore::record() const { return impl_->record; }
StartDecision CheckpointStore::start_decision() const { return impl_->decision; }
const std::vector<int64_t>& CheckpointStore::completed_ids() const { return impl_->completed; }

Result<std::optional<CheckpointMetadata>> CheckpointStore::newest() {
  std::string path = impl_->record.restored_from;
  if (!impl_->completed.empty()) path = impl_->chk(impl_->completed.back());
  if (path.empty()) return std::nullopt;
  MR_ASSIGN(CheckpointMetadata metadata, read_checkpoint(impl_->fs, path));
  // Its owner may have died or frozen before the name was durable, and output will be published because of it.
  if (!impl_->completed.empty()) MR_TRY(impl_->fs.sync_directory(path));
  return metadata;
}

Result<int64_t> CheckpointStore::raise_attempt() {
  MR_TRY(impl_->check_ownership());
  const JobRecord before = impl_->record;
  ++impl_->record.attempt;
  impl_->record.incarnation = impl_->random.next();
  impl_->record.status = JobStatus::kRunning;
  if (auto written = impl_->write_record(true, true); !written) {
    if (written.error().transient()) impl_->raise_in_doubt = impl_->record.incarnation;
    impl_->record = before;
    return std::unexpected(std::move(written).error());
  }
  (void)impl_->fs.remove(job_record_path(impl_->directory, before.attempt));
  return impl_->record.attempt;
}

Result<int64_t> CheckpointStore::reserve_checkpoint_id() {
  Impl& self = *impl_;
  if (self.record.next_checkpoint_id == self.reserved) {
    MR_TRY(self.check_ownership());
    self.reserved += kIdBlock;
    Status written = self.write_record(false, true);
    // A successor reads our record after it wrote its own: it sees our ids, or we see it here.
    if (written) written = self.check_ownership();
    if (!written) {
      self.reserved -= kIdBlock;
      return std::unexpected(std::move(written).error());
    }
  }
  if (seeded_bug("reuse_checkpoint_id") && !self.completed.empty()) {
    self.record.next_checkpoint_id = self.completed.back() + 1;
  }
  const int64_t id = self.record.next_checkpoint_id++;
  MR_TRY(self.fs.create_directories(self.chk(id)));
  return id;
}

Status CheckpointStore::complete(int64_t checkpoint_id, bool final, std::vector<SnapshotHandle> handles,
                                 bool unaligned) {
  Impl& self = *impl_;
  CheckpointMetadata metadata{.checkpoint_id = checkpoint_id,
                              .job_id = self.record.job_id,
                              .job_name = self.record.name,
                              .attempt = self.record.attempt,
                              .completed_ms = self.clock.wall_ms(),
                              .final = final,
                              .unaligned = unaligned,
                              .max_parallelism = self.record.max_parallelism,
                              .handles = std::move(handles)};
  MR_TRY(self.shared.admit(metadata.handles));
  self.shared.hold(checkpoint_id, metadata.handles);
  if (Status published = self.publish(metadata); !published) {
    if (std::ranges::find(self.doubtful, checkpoint_id) == self.doubtful.end()) {
      (void)self.shared.release(checkpoint_id);
    }
    return published;
  }
  self.completed.push_back(checkpoint_id);
  for (const int64_t id : std::exchange(self.older, {})) (void)self.remove_checkpoint(id);
  // No task of ours writes files now: the next checkpoint was not triggered.
  if (std::exchange(self.orphans, false)) self.sweep_shared();
  return {};
}

Status CheckpointStore::remove(int64_t checkpoint_id) {
  const bool aborted = std::ranges::find(impl_->completed, checkpoint_id) == impl_->completed.end();
  if (seeded_bug("abort_deletes_segments") && aborted) impl_->remove_segments(checkpoint_id);
  if (std::ranges::find(impl_->doubtful, checkpoint_id) != impl_->doubtful.end()) return {};
  std::erase(impl_->completed, checkpoint_id);
  if (aborted) {
    impl_->given_up.insert(checkpoint_id);
    impl_->orphans = true;  // what it uploaded stays for the next one
  }
  return impl_->remove_checkpoint(checkpoint_id);
}

Status CheckpointStore::set_status(JobStatus status) {
  MR_TRY(impl_->check_ownership());
  impl_->record.status = status;
  if (status != JobStatus::kRunning) impl_->reserved = impl_->record.next_checkpoint_id;  // gives the rest back
  return impl_->write_record(false, true);
}

Status CheckpointStore::set_spec(std::string spec) {
  MR_TRY(impl_->check_ownership());
  impl_->record.spec = std::move(spec);
  return impl_->write_record(false, true);
}

Status CheckpointStore::set_checkpoint_changes(std::map<std::string, std::string> changes) {
  MR_TRY(impl_->check_ownership());
  impl_->record.checkpoint_changes = std::move(changes);
  return impl_->write_record(false, true);
}

Status CheckpointStore::check_ownership() { return impl_->check_ownership(); }

}  // namespace millrace
