#include "state/checkpoint_plan.h"

#include <algorithm>

namespace millrace {

namespace {

/// The newest completed checkpoint of the line that the job is in, or where that line came from. Empty: neither.
Result<std::string> newest_path(FileSystem& fs, const std::string& directory, const JobRecord& record) {
  MR_ASSIGN(const std::vector<int64_t> completed, completed_checkpoints(fs, directory));
  if (!completed.empty() && completed.back() >= record.first_checkpoint_id) {
    return checkpoint_path(directory, completed.back());
  }
  return record.restored_from;
}

Result<std::string> start_path(FileSystem& fs, const OpenJob& job) {
  if (!job.start.restore.empty()) return job.start.restore;
  if (!job.start.fork.empty()) return job.start.fork;
  const std::string directory = join_path(job.root, job.name);
  MR_ASSIGN(const std::optional<JobRecord> record, read_job_record(fs, directory));
  const StartFacts facts{record.has_value(), record ? record->status : JobStatus::kRunning};
  if (decide_start(job.start, facts) != StartDecision::kResume) return std::string();
  return newest_path(fs, directory, *record);
}

}  // namespace

Result<CheckpointMetadata> find_checkpoint(FileSystem& fs, const std::string& path) {
  if (fs.exists(join_path(path, "_metadata"))) return read_checkpoint(fs, path);
  auto record = read_job_record(fs, path);
  if (!record) return std::unexpected(std::move(record).error());
  if (!*record) {
    return make_error(ErrorCode::kMissingState, path + " is no checkpoint, no savepoint and no job's directory",
                      "name a chk-<id> directory, a savepoint, or <checkpoint.dir>/<job name>");
  }
  MR_ASSIGN(const std::string newest, newest_path(fs, path, **record));
  if (newest.empty()) {
    return make_error(ErrorCode::kMissingState, "the job in " + path + " has no completed checkpoint yet",
                      "wait for its first one");
  }
  return read_checkpoint(fs, newest);
}

Result<OpenedCheckpoint> open_checkpoint(FileSystem& fs, CheckpointMetadata metadata) {
  MR_ASSIGN(auto snapshots, RestoredSnapshots::open(fs, "/", metadata.handles, metadata.max_parallelism));
  return OpenedCheckpoint{std::move(metadata), std::move(snapshots)};
}

Result<StatePlan> plan_against(FileSystem& fs, const CheckpointMetadata& metadata, const JobGraph& graph) {
  MR_ASSIGN(const OpenedCheckpoint opened, open_checkpoint(fs, metadata));
  return plan_state({metadata.max_parallelism, opened.snapshots->states(), !opened.snapshots->stores().empty()}, graph);
}

Status check_start(FileSystem& fs, const OpenJob& job, const JobGraph& graph, bool allow_dropped_state) {
  const auto path = start_path(fs, job);
  if (!path || path->empty()) return {};
  const auto metadata = read_checkpoint(fs, *path);
  if (!metadata) return {};
  const auto plan = plan_against(fs, *metadata, graph);
  return plan ? check_state_plan(*plan, allow_dropped_state) : Status{};
}

}  // namespace millrace
