#include "runtime/exactly_once/epoch_writer.h"

#include <algorithm>
#include <charconv>
#include <set>

#include "core/crash_point.h"
#include "runtime/exactly_once/lane_committer.h"

namespace millrace {

namespace {

constexpr std::string_view kOpenSegment = "open-";

/// Of an open segment. One of a newer attempt is not ours to sweep, should we be a process that froze while it started.
int64_t generation_of(const std::string& name) {
  int64_t generation = 0;
  (void)std::from_chars(name.data() + kOpenSegment.size(), name.data() + name.size(), generation);
  return generation;
}

/// Entries of all lanes of the subtask; durable before the checkpoint is acknowledged, also those whose own checkpoint
/// was aborted before it got here.
class LanesPart final : public SnapshotPart {
 public:
  LanesPart(StateDescriptor state, std::string job_id, std::vector<LaneState> lanes)
      : state_(std::move(state)), job_id_(std::move(job_id)), lanes_(std::move(lanes)) {}

  Status write(SnapshotWriter& writer) override {
    crash_point("snapshot.begin");
    for (const LaneState& lane : lanes_) {
      for (const auto& entry : lane.entries) {
        if (entry->unsealed) MR_TRY(entry->unsealed->seal());
      }
    }
    MR_TRY(writer.begin(state_));
    for (const LaneState& lane : lanes_) MR_TRY(writer.add(lane.lane, job_id_, encode_lane(lane)));
    return {};
  }

 private:
  StateDescriptor state_;
  std::string job_id_;
  std::vector<LaneState> lanes_;
};

class EpochWriter final : public SinkWriter {
 public:
  EpochWriter(ExactlyOnceTargetPtr target, FileSystem& fs, SegmentLimits limits, bool threaded)
      : target_(std::move(target)), fs_(fs), limits_(limits), threaded_(threaded) {}

  LaneCommitter::Step step() { return committer_->step(); }

  Status open(SinkContext& context) override {
    MR_CHECK(context.events != nullptr, "an exactly-once sink needs somebody to report to");
    sink_ = context.sink;
    job_id_ = context.job_id;
    lane_ = context.subtask;
    generation_ = context.owner.generation;
    job_directory_ = context.job_directory;
    state_ = {context.sink, "lanes", StateKind::kSubtask, std::string(kLaneLayout)};
    MR_ASSIGN(std::vector<LaneState> lanes, restored_lanes(context));
    std::vector<std::string> unlisted;
    for (const LaneState& lane : lanes) MR_TRY(prepare_directory(lane, unlisted));
    LaneCommitter::Config config{.sink = context.sink,
                                 .job_id = context.job_id,
                                 .job_directory = context.job_directory,
                                 .subtask = context.subtask,
                                 .parallelism = context.parallelism,
                                 .owner = context.owner,
                                 .rules = context.rules,
                                 .restored_checkpoint = context.restored_checkpoint,
                                 .retained = context.retained_checkpoints,
                                 .fs = &fs_,
                                 .target = target_.get(),
                                 .events = context.events,
                                 .metrics = context.metrics,
                                 .labels = context.labels};
    committer_ = std::make_unique<LaneCommitter>(std::move(config), std::move(lanes), std::move(unlisted));
    MR_TRY(target_->open({.sink = context.sink,
                          .job_id = context.job_id,
                          .job_name = context.job_name,
                          .subtask = context.subtask,
                          .parallelism = context.parallelism,
                          .clock = context.clock,
                          .metrics = context.metrics,
                          .labels = context.labels,
                          .stopping = &committer_->stopping()}));
    if (threaded_) committer_->start();
    return {};
  }

  Result<Flow> write(const Batch& batch, Output& dead_letters) override {
    if (batch.empty()) return Flow::kNeedInput;
    if (!segment_) {
      const std::string name =
          std::string(kOpenSegment) + std::to_string(generation_) + "-" + std::to_string(++segments_);
      MR_ASSIGN(segment_, SegmentWriter::create(fs_, join_path(lane_directory(lane_), name), limits_));
    }
    MR_TRY(target_->prepare(batch, *segment_, dead_letters));
    return Flow::kNeedInput;
  }

  Result<std::vector<SnapshotPartPtr>> snapshot_at(int64_t checkpoint_id) override {
    if (segment_ && segment_->rows() > 0) {
      MR_TRY(segment_->finish());
      auto entry = std::make_shared<LaneEntry>();
      entry->data = {.epoch = checkpoint_id,
                     .file = join_path(relative_directory(lane_),
                                       std::to_string(checkpoint_id) + "-" + std::to_string(generation_)),
                     .bytes = segment_->bytes(),
                     .rows = segment_->rows(),
                     .target = target_->target(),
                     .parts = segment_->parts()};
      entry->unsealed = segment_->file();
      entry->unsealed->set_final_path(join_path(job_directory_, entry->data.file));
      committer_->add(lane_, std::move(entry));
      segment_.reset();
    }
    if (seeded_bug("commit_before_completion")) committer_->checkpoint_completed(checkpoint_id);
    std::vector<SnapshotPartPtr> parts;
    parts.push_back(std::make_unique<LanesPart>(state_, job_id_, committer_->lanes_for(checkpoint_id)));
    return parts;
  }

  Status checkpoint_completed(int64_t checkpoint_id) override {
    crash_point("notified");
    committer_->checkpoint_completed(checkpoint_id);
    return {};
  }

 private:
  [[nodiscard]] std::string relative_directory(uint32_t lane) const {
    return "segments/" + sink_ + "/" + std::to_string(lane);
  }
  [[nodiscard]] std::string lane_directory(uint32_t lane) const {
    return join_path(job_directory_, relative_directory(lane));
  }

  /// Lanes i, i + p, ... of the state, and lane i itself.
  Result<std::vector<LaneState>> restored_lanes(const SinkContext& context) {
    std::vector<LaneState> lanes;
    if (context.restored != nullptr) {
      MR_TRY(context.restored->visit(state_, {0, kDefaultMaxParallelism}, context.subtask, context.parallelism,
                                     [&](uint32_t group, std::string_view key, std::string_view value) -> Status {
                                       MR_ASSIGN(LaneState lane, decode_lane(group, value));
                                       // A fork: the original publishes what its checkpoints hold.
                                       if (key != job_id_)
                                         lane = LaneState{.lane = group, .remembered = {}, .entries = {}};
                                       lanes.push_back(std::move(lane));
                                       return {};
                                     }));
    }
    if (std::ranges::none_of(lanes, [this](const LaneState& lane) { return lane.lane == lane_; })) {
      lanes.push_back({.lane = lane_, .remembered = {}, .entries = {}});
    }
    std::ranges::sort(lanes, {}, &LaneState::lane);
    return lanes;
  }

  /// Makes the lane's directory, sweeps segments that were never sealed, and lists those that the state does not name.
  Status prepare_directory(const LaneState& lane, std::vector<std::string>& unlisted) {
    const std::string directory = lane_directory(lane.lane);
    MR_TRY(fs_.create_directories(directory));
    // Also when it is there: a process may have died before it made the name durable.
    for (std::string path = parent_path(directory); path.size() >= job_directory_.size(); path = parent_path(path)) {
      MR_TRY(fs_.sync_directory(path));
    }
    std::set<std::string> listed;
    for (const auto& entry : lane.entries) listed.insert(join_path(job_directory_, entry->data.file));
    MR_ASSIGN(const std::vector<DirEntry> found, fs_.list(directory));
    for (const DirEntry& file : found) {
      const std::string path = join_path(directory, file.name);
      if (file.name.starts_with(kOpenSegment)) {
        if (generation_of(file.name) < generation_) MR_TRY(fs_.remove(path));
      } else if (!listed.contains(join_path(directory, segment_of(file.name)))) {
        unlisted.push_back(path);
      }
    }
    return {};
  }

  ExactlyOnceTargetPtr target_;
  FileSystem& fs_;
  SegmentLimits limits_;
  bool threaded_;
  StateDescriptor state_;
  std::string sink_;
  std::string job_id_;
  std::string job_directory_;
  uint32_t lane_ = 0;
  int64_t generation_ = 0;
  int64_t segments_ = 0;
  std::unique_ptr<SegmentWriter> segment_;
  std::unique_ptr<LaneCommitter> committer_;  // ends before the target
};

}  // namespace

SinkWriterPtr make_epoch_writer(ExactlyOnceTargetPtr target, FileSystem& fs, SegmentLimits limits) {
  return std::make_unique<EpochWriter>(std::move(target), fs, limits, true);
}

SteppedEpochWriter make_stepped_epoch_writer(ExactlyOnceTargetPtr target, FileSystem& fs, SegmentLimits limits) {
  auto writer = std::make_unique<EpochWriter>(std::move(target), fs, limits, false);
  EpochWriter* raw = writer.get();
  return {std::move(writer), [raw] { return raw->step(); }};
}

}  // namespace millrace
