#include "cli/job_output.h"

#include <algorithm>
#include <atomic>

#include "core/clock.h"
#include "core/environment.h"
#include "core/storage.h"
#include "state/job_record.h"
#include "state/snapshot_file.h"

namespace millrace {

namespace {

const std::atomic<bool> kNeverStopping{false};

}  // namespace

uint64_t SinkLane::pending_rows() const {
  uint64_t rows = 0;
  for (const auto& entry : state.entries) {
    for (uint32_t part = 0; part < entry->data.parts.size(); ++part) {
      if (!covers(entry->data.epoch, part)) rows += entry->data.parts[part].rows;
    }
  }
  return rows;
}

Result<std::unique_ptr<JobOutput>> JobOutput::open(const std::string& directory, bool take_over,
                                                   const Registry& registry) {
  FileSystem& fs = storage();
  MR_ASSIGN(std::optional<JobRecord> seen, read_job_record(fs, directory));
  if (!seen) {
    return make_error(ErrorCode::kMissingState,
                      directory + " is not the directory of a job (no job-<attempt>.json in it)",
                      "give <checkpoint.dir>/<job name>");
  }
  std::unique_ptr<JobOutput> job(new JobOutput(registry));
  job->directory_ = directory;
  if (!is_object_path(directory)) {
    MR_ASSIGN(job->lock_, DirectoryLock::acquire(directory, take_over));
  }
  MR_ASSIGN(seen, read_job_record(fs, directory));  // nobody starts it from here on
  if (seen) job->record_ = std::move(*seen);
  SpecOverrides overrides;
  overrides.environment = environment_variable;
  job->planned_ = plan_job(job->record_.spec, overrides, registry.plan);
  if (!job->planned_.ok) {
    return make_error(
        ErrorCode::kIncompatibleState,
        "the job file in " + job_record_path(directory, job->record_.attempt) + " does not plan in this build");
  }
  for (const Node& node : job->planned_.graph.nodes) {
    if (!node.sink || !node.sink->settles_epochs()) continue;
    if (!registry.factories.exactly_once.contains(node.sink->connector)) continue;
    job->sinks_.push_back({.sink = node.id, .config = node.sink, .lanes = {}, .entries = {}});
  }
  if (!job->sinks_.empty()) MR_TRY(job->read_checkpoints());
  return job;
}

Status JobOutput::read_checkpoints() {
  FileSystem& fs = storage();
  MR_ASSIGN(std::vector<int64_t> ids, completed_checkpoints(fs, directory_));
  std::erase_if(ids, [this](int64_t id) { return id < record_.first_checkpoint_id; });
  if (ids.empty() && !record_.restored_from.empty()) {
    MR_ASSIGN(const CheckpointMetadata metadata, read_checkpoint(fs, record_.restored_from));
    return read_lanes(metadata);
  }
  for (const int64_t id : ids) {
    MR_ASSIGN(const CheckpointMetadata metadata, read_checkpoint(fs, checkpoint_path(directory_, id)));
    MR_TRY(read_lanes(metadata));
  }
  return {};
}

/// Oldest first: the newest one's lanes stay.
Status JobOutput::read_lanes(const CheckpointMetadata& metadata) {
  MR_ASSIGN(const auto snapshots,
            RestoredSnapshots::open(storage(), directory_, metadata.handles, metadata.max_parallelism));
  checkpoint_id_ = metadata.checkpoint_id;
  for (SinkOutput& sink : sinks_) {
    sink.lanes.clear();
    const StateDescriptor state{sink.sink, "lanes", StateKind::kSubtask, std::string(kLaneLayout)};
    MR_TRY(snapshots->visit(state, {0, metadata.max_parallelism}, 0, 1,
                            [&](uint32_t lane, std::string_view key, std::string_view value) -> Status {
                              MR_ASSIGN(LaneState decoded, decode_lane(lane, value));
                              // A fork: the original publishes what its checkpoints hold.
                              if (key != record_.job_id.to_string()) {
                                decoded = LaneState{.lane = lane, .remembered = {}, .entries = {}};
                              }
                              for (const auto& entry : decoded.entries) sink.entries[{lane, entry->data.epoch}] = entry;
                              sink.lanes[lane] = {.state = std::move(decoded), .marker = {}};
                              return {};
                            }));
  }
  return {};
}

SinkOutput* JobOutput::find(const std::string& sink) {
  const auto found = std::ranges::find(sinks_, sink, &SinkOutput::sink);
  return found == sinks_.end() ? nullptr : &*found;
}

Result<ExactlyOnceTargetPtr> JobOutput::open_target(const SinkOutput& sink) const {
  MR_ASSIGN(ExactlyOnceTargetPtr target,
            registry_.factories.exactly_once.find(sink.config->connector)->second(*sink.config, registry_));
  TargetContext context;
  context.sink = sink.sink;
  context.job_id = record_.job_id.to_string();
  context.job_name = record_.name;
  context.clock = &system_clock();
  context.stopping = &kNeverStopping;
  MR_TRY(target->open(context));
  return target;
}

Status JobOutput::read_markers(SinkOutput& sink, ExactlyOnceTarget& target) const {
  for (auto& [number, lane] : sink.lanes) {
    MR_ASSIGN(const std::unique_ptr<LaneSession> session, target.open_session(lane_id(sink, number)));
    MR_ASSIGN(lane.marker, session->last_committed());
  }
  return {};
}

LaneId JobOutput::lane_id(const SinkOutput& sink, uint32_t lane) const {
  const uint32_t lanes = sink.lanes.empty() ? lane + 1 : std::max(lane, sink.lanes.rbegin()->first) + 1;
  return {record_.job_id.to_string(), sink.sink, lane, lanes};
}

std::string JobOutput::segment_path(const LaneEntry& entry) const { return join_path(directory_, entry.data.file); }

Status check_no_pending_output(const std::string& directory, bool take_over, const Registry& registry) {
  FileSystem& fs = storage();
  const Result<std::optional<JobRecord>> found = read_job_record(fs, directory);
  if (!found || !*found) return {};  // no job, or a damaged record: --fresh is the way out
  const JobStatus status = (*found)->status;
  if (status != JobStatus::kRunning && status != JobStatus::kFailed) return {};
  const auto unknown = [&](const Error& error) -> Status {
    if (error.code == ErrorCode::kDirectoryLocked) return std::unexpected(error);
    return make_error(ErrorCode::kRefusedByState,
                      "--fresh: it cannot be found out whether output of the old state waits: " + error.message,
                      "--allow-dropped-state starts afresh whatever waits");
  };
  auto job = JobOutput::open(directory, take_over, registry);
  if (!job) return unknown(job.error());
  for (SinkOutput& sink : (*job)->sinks()) {
    uint64_t waiting = 0;
    for (const auto& [number, lane] : sink.lanes) waiting += lane.pending_rows();
    if (waiting == 0) continue;  // whatever the markers say
    const auto target = (*job)->open_target(sink);
    if (!target) return unknown(target.error());
    if (Status read = (*job)->read_markers(sink, **target); !read) return unknown(read.error());
    uint64_t rows = 0;
    for (const auto& [number, lane] : sink.lanes) rows += lane.pending_rows();
    if (rows == 0) continue;
    return make_error(ErrorCode::kRefusedByState,
                      "--fresh would lose output: " + std::to_string(rows) + " rows of sink `" + sink.sink +
                          "` belong to completed checkpoints and are not published",
                      "run the job without --fresh first, or accept the loss with --allow-dropped-state");
  }
  return {};
}

}  // namespace millrace
