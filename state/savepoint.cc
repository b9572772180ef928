#include "state/savepoint.h"

#include "state/checkpoint_store.h"

namespace millrace {

namespace {

constexpr std::string_view kMetadataName = "_metadata";

Status copy_bytes(FileSystem& fs, const std::string& from, WritableFile& to) {
  MR_ASSIGN(const auto source, fs.open(from));
  std::string piece(1 << 20, '\0');
  for (uint64_t at = 0;;) {
    MR_ASSIGN(const size_t read, source->read_at(at, piece.data(), piece.size()));
    if (read == 0) break;
    MR_TRY(to.append(std::string_view(piece).substr(0, read)));
    at += read;
  }
  return {};
}

Status copy_durably(FileSystem& fs, const std::string& from, const std::string& to) {
  MR_ASSIGN(const auto target, fs.create(to));
  MR_TRY(copy_bytes(fs, from, *target));
  MR_TRY(target->sync());
  return target->close();
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
  for (const SnapshotHandle& handle : metadata.handles) {
    if (handle.file.empty()) continue;
    MR_TRY(copy_durably(fs, handle.file, join_path(target, handle.file.substr(handle.file.rfind('/') + 1))));
  }
  MR_TRY(copy_segments(fs, join_path(job_directory, "segments"), join_path(target, "segments")));
  // Last: what has no _metadata is no savepoint.
  const std::string temporary = join_path(target, "_metadata.tmp");
  MR_ASSIGN(const auto file, fs.create(temporary));
  MR_TRY(copy_bytes(fs, join_path(chk, kMetadataName), *file));
  MR_TRY(fs.sync_directory(target));
  MR_TRY(fs.publish(*file, temporary, join_path(target, kMetadataName), IfTaken::kReplace, EntryDurability::kNow));
  return fs.sync_directory(parent_path(target));
}

}  // namespace millrace
