#include "state/savepoint.h"

#include "core/file_copy.h"
#include "state/checkpoint_store.h"
#include "state/job_directory.h"
#include "state/shared_directory.h"

namespace millrace {

namespace {

Status copy_durably(FileSystem& fs, const std::string& from, const std::string& to) {
  MR_TRY(copy_file(fs, from, fs, to, CopySync::kYes));
  return {};
}

/// Files of spill stores; one that several tasks share is copied once.
Status copy_checked(FileSystem& fs, const std::vector<SharedFile>& files, const std::string& to) {
  if (!files.empty()) MR_TRY(fs.create_directories(to));
  for (const SharedFile& file : files) {
    const std::string target = join_path(to, shared_name(file.name));
    MR_ASSIGN(const bool copied_before, fs.contains(target));
    if (copied_before) continue;
    MR_ASSIGN(const FileDigest copied, copy_file(fs, file.name, fs, target, CopySync::kYes));
    if (copied != FileDigest{file.bytes, file.checksum}) {
      return make_error(ErrorCode::kCorruptState, file.name + ": checksum mismatch",
                        "this checkpoint cannot be copied; wait for the next one");
    }
  }
  return {};
}

Status copy_tree(FileSystem& fs, const std::string& from, const std::string& to, int depth) {
  MR_ASSIGN(const bool any, fs.contains(from));
  if (!any) return {};
  MR_TRY(fs.create_directories(to));
  MR_ASSIGN(const std::vector<DirEntry> entries, fs.list(from));
  for (const DirEntry& entry : entries) {
    const std::string source = join_path(from, entry.name);
    const std::string target = join_path(to, entry.name);
    if (entry.is_directory && depth < 2) MR_TRY(copy_tree(fs, source, target, depth + 1));
    // One without its final name belongs to no checkpoint.
    if (!entry.is_directory && !entry.name.starts_with("open-")) {
      Status copied = copy_durably(fs, source, target);
      // A segment goes when its rows are published: then the copy needs it no more than the original.
      if (copied) continue;
      MR_ASSIGN(const bool still_there, fs.contains(source));
      if (still_there) return copied;
    }
  }
  MR_TRY(fs.sync_directory(to));
  return fs.sync_directory(parent_path(to));
}

}  // namespace

Status copy_segments(FileSystem& fs, const std::string& from, const std::string& to) {
  return copy_tree(fs, from, to, 0);
}

Status write_savepoint(FileSystem& fs, const std::string& job_directory, int64_t id, const std::string& target) {
  MR_ASSIGN(const bool taken, fs.contains(target));
  if (taken) return make_error(ErrorCode::kRefusedByState, target + " exists already");
  const std::string chk = checkpoint_path(job_directory, id);
  MR_ASSIGN(const CheckpointMetadata metadata, read_checkpoint(fs, chk));
  MR_TRY(fs.create_directories(target));
  bool shares = false;
  for (const SnapshotHandle& handle : metadata.handles) {
    if (handle.file.empty()) continue;
    MR_TRY(copy_durably(fs, handle.file, join_path(target, shared_name(handle.file))));
    MR_TRY(copy_checked(fs, handle.own, target));
    MR_TRY(copy_checked(fs, handle.shared, shared_directory(target)));
    shares = shares || !handle.shared.empty();
  }
  if (shares) MR_TRY(fs.sync_directory(shared_directory(target)));
  MR_TRY(copy_segments(fs, join_path(job_directory, "segments"), join_path(target, "segments")));
  // Last: what has no _metadata is no savepoint.
  const std::string temporary = join_path(target, "_metadata.tmp");
  MR_ASSIGN(const auto file, fs.create(temporary));
  MR_TRY(copy_into(fs, join_path(chk, kMetadataName), *file));
  MR_TRY(fs.sync_directory(target));
  MR_TRY(fs.publish(*file, temporary, join_path(target, kMetadataName), IfTaken::kReplace, EntryDurability::kNow));
  return fs.sync_directory(parent_path(target));
}

}  // namespace millrace
