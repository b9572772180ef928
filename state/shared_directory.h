// A job's shared/ as its owner sees it: which completed checkpoints hold which file, so that a file goes with the last
// of them. Counts live in memory and are rebuilt from the checkpoints' metadata at every start. Used by the owner of
// the job only (state/checkpoint_store.h); task managers put files in and never remove one.
//
// What makes removing safe beside a frozen former or later owner is the order in CheckpointStore: first the checkpoint
// stops existing, then ownership is checked, then files go. A successor raises its attempt before it reads checkpoints,
// so either it does not find that checkpoint any more, or the check tells us.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/file_system.h"
#include "core/status.h"
#include "state/protocol/task_snapshot.h"

namespace millrace {

std::string shared_directory(const std::string& job_directory);
/// The last part of a file's name or path.
std::string shared_name(std::string_view file);
/// kBadValue: not the name of a file inside one directory, or one that marks an upload under way.
Status check_shared_name(std::string_view name);
/// Under which a file is written until it is whole. `by` tells concurrent writers apart.
std::string shared_temporary_name(std::string_view by, std::string_view name);

class SharedDirectory {
 public:
  SharedDirectory(FileSystem& fs, const std::string& job_directory) : fs_(fs), path_(shared_directory(job_directory)) {}

  void hold(int64_t checkpoint_id, std::span<const SnapshotHandle> handles);
  /// A checkpoint whose metadata cannot be read may need any file: none goes while it is there.
  void hold_unread(int64_t checkpoint_id) { unread_.insert(checkpoint_id); }
  [[nodiscard]] bool holds(int64_t checkpoint_id) const {
    return held_.contains(checkpoint_id) || unread_.contains(checkpoint_id);
  }
  /// What no checkpoint needs any more without this one, which is forgotten.
  [[nodiscard]] std::vector<std::string> release(int64_t checkpoint_id);

  /// Files that no checkpoint held before are there and have their size, and their names are durable. kCheckpointFailed
  /// names one that is not.
  Status admit(std::span<const SnapshotHandle> handles);

  [[nodiscard]] std::vector<std::string> list() const;
  /// Of `names`, those that no checkpoint holds; none when that is not known of all.
  [[nodiscard]] std::vector<std::string> unheld(std::vector<std::string> names) const;
  /// Failing is harmless: the next sweep finds them.
  void remove(const std::vector<std::string>& names);

 private:
  FileSystem& fs_;
  std::string path_;
  std::map<int64_t, std::set<std::string>> held_;
  std::map<std::string, int64_t> holders_;  // how many checkpoints of held_ name the file
  std::set<int64_t> unread_;
};

}  // namespace millrace
