#include "state/shared_uploads.h"

#include <fmt/format.h>

#include "core/crash_point.h"
#include "state/shared_directory.h"

namespace millrace {

void SharedUploads::restored(std::span<const SnapshotHandle> handles) {
  const std::lock_guard lock(mutex_);
  const std::string here = shared_directory(job_directory_);
  for (const SnapshotHandle& handle : handles) {
    for (const SharedFile& file : handle.shared) {
      if (parent_path(file.name) != here) continue;
      confirmed_.insert(shared_name(file.name));
      digests_[shared_name(file.name)] = {file.bytes, file.checksum};
    }
  }
}

SharedUploads::Known SharedUploads::look_up(const std::string& name) {
  const std::lock_guard lock(mutex_);
  Known known;
  if (const auto digest = digests_.find(name); digest != digests_.end()) known.digest = digest->second;
  known.confirmed = confirmed_.contains(name);
  known.uploaded = uploaded_.contains(name);
  return known;
}

Result<SharedUploads::Upload> SharedUploads::upload(const std::string& name, const std::string& path,
                                                    const std::string& by) {
  MR_TRY(check_shared_name(name));
  MR_ASSIGN(const uint64_t bytes, file_size(local_, path));
  Known known = look_up(name);
  if (known.digest && known.digest->bytes != bytes) {
    return make_error(ErrorCode::kInternal, fmt::format("{}: the file {} had {} bytes before, now {}", path, name,
                                                        known.digest->bytes, bytes));
  }
  if (!known.digest) {
    MR_ASSIGN(known.digest, digest_file(local_, path));
    const std::lock_guard lock(mutex_);
    digests_[name] = *known.digest;
  }
  Upload done{{name, known.digest->bytes, known.digest->checksum}, 0};
  if (known.confirmed) return done;
  const std::string directory = shared_directory(job_directory_);
  const std::string target = join_path(directory, name);
  if (holds(target, *known.digest, known.uploaded)) return done;
  MR_TRY(storage_.create_directories(directory));
  const std::string temporary = join_path(directory, shared_temporary_name(by, name));
  if (Status put_there = put(path, target, *known.digest, temporary); !put_there) {
    (void)storage_.remove(temporary);  // gives the space back on a full disk
    return std::unexpected(std::move(put_there).error());
  }
  done.written = bytes;
  const std::lock_guard lock(mutex_);
  uploaded_.insert(name);
  return done;
}

bool SharedUploads::holds(const std::string& target, const FileDigest& digest, bool written_by_us) const {
  if (!storage_.exists(target)) return false;
  if (written_by_us) return file_size(storage_, target) == digest.bytes;
  return digest_file(storage_, target) == digest;
}

Status SharedUploads::put(const std::string& path, const std::string& target, const FileDigest& digest,
                          const std::string& temporary) {
  crash_point("shared.begin");
  // Never written over: it may be a second name of the local file.
  if (!is_object_path(temporary) && storage_.exists(temporary)) MR_TRY(storage_.remove(temporary));
  if (storage_.link(path, temporary)) {
    // A file that came by a copy may not be durable yet.
    MR_ASSIGN(const auto linked, storage_.open_append(temporary));
    MR_TRY(linked->sync());
    MR_TRY(linked->close());
    crash_point("shared.written");
    MR_TRY(storage_.rename(temporary, target));
  } else {
    MR_ASSIGN(const auto copy, storage_.create(temporary));
    MR_ASSIGN(const FileDigest copied, copy_into(local_, path, *copy));
    if (copied != digest) return make_error(ErrorCode::kInternal, path + " changed though it is shared");
    crash_point("shared.written");
    MR_TRY(storage_.publish(*copy, temporary, target, IfTaken::kReplace, EntryDurability::kLater));
  }
  crash_point("shared.uploaded");
  return {};
}

void SharedUploads::snapshot_written(int64_t checkpoint_id, const SnapshotHandle& handle) {
  const std::lock_guard lock(mutex_);
  std::set<std::string>& names = pending_[checkpoint_id];
  for (const SharedFile& file : handle.shared) names.insert(file.name);
}

void SharedUploads::checkpoint_completed(int64_t checkpoint_id) {
  const std::lock_guard lock(mutex_);
  const auto completed = pending_.find(checkpoint_id);
  if (completed == pending_.end()) return;  // told twice
  confirmed_ = std::move(completed->second);
  uploaded_.clear();
  std::erase_if(digests_, [this](const auto& one) { return !confirmed_.contains(one.first); });
  pending_.erase(pending_.begin(), pending_.upper_bound(checkpoint_id));
}

}  // namespace millrace
