#include "runtime/exactly_once/lane_committer.h"

#include <algorithm>
#include <chrono>
#include <functional>

#include "core/crash_point.h"
#include "core/log.h"

namespace millrace {

namespace {

constexpr auto kPauseMin = std::chrono::milliseconds(50);
constexpr auto kPauseMax = std::chrono::milliseconds(10'000);

std::unexpected<Error> superseded(const std::string& place, bool same_attempt) {
  return make_error(ErrorCode::kSuperseded,
                    place + (same_attempt ? ": another process writes under the same attempt of this job"
                                          : ": a newer attempt of this job has taken the output over"));
}

std::unexpected<Error> lost_progress(const std::string& place) {
  return make_error(ErrorCode::kRefusedByState,
                    place +
                        ": the target's commit marker is missing or older than the state remembers; output that was "
                        "published could be published again",
                    "bring the progress back, or accept possible repetitions with --accept-lost-progress");
}

}  // namespace

LaneCommitter::LaneCommitter(Config config, std::vector<LaneState> lanes, std::vector<std::string> unlisted_segments)
    : config_(std::move(config)), known_(lanes.size()), lanes_(std::move(lanes)) {
  completed_ = config_.restored_checkpoint;
  last_snapshot_ = config_.restored_checkpoint;
  for (std::string& path : unlisted_segments) spent_.push_back({std::move(path), config_.restored_checkpoint});
  if (config_.metrics == nullptr) return;
  const auto commits = [this](const char* result) {
    Labels labels = config_.labels;
    labels.emplace_back("result", result);
    return config_.metrics->metric(MetricKind::kCounter, "millrace_sink_commits_total", "Commits of a sink by result.",
                                   std::move(labels));
  };
  commits_ = commits("committed");
  failures_ = commits("failed");
  skipped_ = commits("skipped");
  duration_ = config_.metrics->metric(MetricKind::kGauge, "millrace_sink_commit_duration_seconds",
                                      "Duration of the last commit of the sink.", config_.labels);
  pending_ = config_.metrics->metric(MetricKind::kGauge, "millrace_sink_pending_epochs",
                                     "Epochs of completed checkpoints that are not published yet.", config_.labels);
}

LaneCommitter::~LaneCommitter() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void LaneCommitter::start() {
  thread_ = std::thread([this] { run(); });
}

void LaneCommitter::add(uint32_t lane, std::shared_ptr<const LaneEntry> entry) {
  const std::lock_guard lock(mutex_);
  for (LaneState& state : lanes_) {
    if (state.lane != lane) continue;
    state.entries.push_back(std::move(entry));
    return;
  }
}

std::vector<LaneState> LaneCommitter::lanes_for(int64_t checkpoint_id) {
  const std::lock_guard lock(mutex_);
  last_snapshot_ = std::max(last_snapshot_, checkpoint_id);
  return lanes_;
}

void LaneCommitter::checkpoint_completed(int64_t checkpoint_id) {
  {
    const std::lock_guard lock(mutex_);
    completed_ = std::max(completed_, checkpoint_id);
    completed_ids_.push_back(checkpoint_id);
  }
  wake_.notify_all();
}

LaneId LaneCommitter::id_of(const LaneState& lane) const {
  return {config_.job_id, config_.sink, lane.lane, std::max(config_.parallelism, lane.lane + 1)};
}

std::string LaneCommitter::place(const LaneState& lane) const {
  return "sink `" + config_.sink + "`, lane " + std::to_string(lane.lane);
}

void LaneCommitter::run() {
  Status status = restore();
  int64_t done = config_.restored_checkpoint;
  if (status) config_.events->restored_settled();
  while (status) {
    int64_t up_to = done;
    {
      std::unique_lock lock(mutex_);
      wake_.wait(lock, [&] { return stopping_ || completed_ > done; });
      if (stopping_) return;
      up_to = completed_;
    }
    for (size_t i = 0; i < lanes_.size() && status; ++i) status = publish_lane(i, up_to);
    if (!status) break;
    done = up_to;
    config_.events->epoch_settled(done);
    remove_spent(done);
  }
  if (status.error().code != ErrorCode::kCancelled) config_.events->failed(status.error());
}

Status LaneCommitter::restore() {
  // Every lane is ours before anything is published: a key may have moved from one lane to another.
  for (size_t i = 0; i < lanes_.size(); ++i) MR_TRY(claim(lanes_[i], known_[i]));
  crash_point("recover.claimed");
  for (size_t i = 0; i < lanes_.size(); ++i) MR_TRY(publish_lane(i, config_.restored_checkpoint));
  crash_point("recover.published");
  return {};
}

Status LaneCommitter::repeat(const std::function<Status()>& attempt, const std::string& what) {
  auto pause = kPauseMin;
  while (true) {
    if (stopping_) return make_error(ErrorCode::kCancelled, "the sink goes away");
    Status status = attempt();
    if (status || !status.error().transient()) return status;
    if (failures_) failures_->add(1);
    log_warn("output is not published yet, trying again",
             {{"what", what}, {"error", status.error().to_string()}, {"pause_ms", pause.count()}});
    std::unique_lock lock(mutex_);
    wake_.wait_for(lock, pause, [this] { return stopping_.load(); });
    pause = std::min(pause * 2, kPauseMax);
  }
}

Status LaneCommitter::claim(LaneState& lane, CommitMarker& known) {
  MR_TRY(repeat(
      [&]() -> Status {
        auto claimed = try_claim(lane, known);
        if (!claimed) return std::unexpected(std::move(claimed).error().with_context(place(lane)));
        return {};
      },
      "claim of " + place(lane)));
  const std::lock_guard lock(mutex_);
  lane.remembered = EpochPart{known.epoch, known.part};
  return {};
}

Result<bool> LaneCommitter::try_claim(const LaneState& lane, CommitMarker& known) {
  MR_ASSIGN(std::unique_ptr<LaneSession> session, config_.target->open_session(id_of(lane)));
  MR_ASSIGN(const std::optional<CommitMarker> found, session->last_committed());
  const ClaimDecision decision =
      decide_claim(found, config_.owner, {config_.restored_checkpoint, lane.remembered}, config_.rules);
  switch (decision.verdict) {
    case ClaimVerdict::kSuperseded:
    case ClaimVerdict::kTwoOwners:
      return superseded(place(lane), decision.verdict == ClaimVerdict::kTwoOwners);
    case ClaimVerdict::kOlderState:
      return make_error(ErrorCode::kRefusedByState,
                        place(lane) + ": output up to epoch " + std::to_string(found->epoch) +
                            " is published, but the state is of checkpoint " +
                            std::to_string(config_.restored_checkpoint) + "; " +
                            std::to_string(found->epoch - config_.restored_checkpoint) + " epochs would repeat",
                        "restore a newer checkpoint, or accept the repetition with --republish");
    case ClaimVerdict::kLost:
      return lost_progress(place(lane));
    case ClaimVerdict::kClaim:
      break;
  }
  MR_TRY(session->commit(decision.claim, config_.target->target(), nullptr));
  known = decision.claim;
  return true;
}

Status LaneCommitter::publish_lane(size_t index, int64_t up_to) {
  while (true) {
    std::shared_ptr<const LaneEntry> entry;
    {
      const std::lock_guard lock(mutex_);
      const auto& entries = lanes_[index].entries;
      const auto waiting =
          std::count_if(entries.begin(), entries.end(), [&](const auto& one) { return one->data.epoch <= completed_; });
      if (pending_) pending_->set(static_cast<double>(waiting));
      if (entries.empty() || entries.front()->data.epoch > up_to) return {};
      entry = entries.front();
    }
    MR_TRY(publish_entry(index, *entry));
    settled(index, *entry);
    crash_point("commit.acknowledged");
  }
}

Status LaneCommitter::publish_entry(size_t index, const LaneEntry& entry) {
  for (uint32_t part = 0; part < entry.data.parts.size(); ++part) {
    if (part > 0) crash_point("commit.between_parts");
    MR_TRY(publish_part(index, entry.data, part));
  }
  return {};
}

Status LaneCommitter::publish_part(size_t index, const SegmentEntry& entry, uint32_t part) {
  const SegmentPart& border = entry.parts[part];
  const CommitMarker marker{config_.owner.generation,
                            config_.owner.incarnation,
                            entry.epoch,
                            part,
                            static_cast<uint32_t>(entry.parts.size()),
                            border.rows,
                            border.crc};
  const std::string where = place(lanes_[index]) + ", epoch " + std::to_string(entry.epoch);
  return repeat(
      [&]() -> Status {
        const auto began = std::chrono::steady_clock::now();
        auto rows = SegmentPartReader::open(*config_.fs, join_path(config_.job_directory, entry.file), border);
        if (!rows) return std::unexpected(std::move(rows).error().with_context(where));
        auto published = try_part(index, entry, marker, **rows);
        if (!published) return std::unexpected(std::move(published).error().with_context(where));
        const std::chrono::duration<double> took = std::chrono::steady_clock::now() - began;
        if (duration_) duration_->set(took.count());
        if (const MetricPtr& count = *published ? commits_ : skipped_) count->add(1);
        return {};
      },
      where);
}

Result<bool> LaneCommitter::try_part(size_t index, const SegmentEntry& entry, const CommitMarker& marker,
                                     PartRows& rows) {
  crash_point("commit.begin");
  MR_ASSIGN(std::unique_ptr<LaneSession> session, config_.target->open_session(id_of(lanes_[index])));
  MR_ASSIGN(const std::optional<CommitMarker> found, session->last_committed());
  crash_point("commit.inited");
  CommitVerdict verdict = decide_commit(found, config_.owner, known_[index], {marker.epoch, marker.part});
  if (seeded_bug("skip_marker")) verdict = CommitVerdict::kPublish;
  switch (verdict) {
    case CommitVerdict::kSkip:
      known_[index] = *found;
      return false;
    case CommitVerdict::kSuperseded:
    case CommitVerdict::kTwoOwners:
      return superseded(place(lanes_[index]), verdict == CommitVerdict::kTwoOwners);
    case CommitVerdict::kLost:
      return lost_progress(place(lanes_[index]));
    case CommitVerdict::kPublish:
      break;
  }
  MR_TRY(session->commit(marker, entry.target, &rows));
  crash_point("commit.done");
  known_[index] = marker;
  return true;
}

void LaneCommitter::settled(size_t index, const LaneEntry& entry) {
  const std::lock_guard lock(mutex_);
  LaneState& lane = lanes_[index];
  lane.remembered = EpochPart{known_[index].epoch, known_[index].part};
  spent_.push_back({join_path(config_.job_directory, entry.data.file), last_snapshot_});
  lane.entries.pop_front();
}

void LaneCommitter::remove_spent(int64_t checkpoint_id) {
  std::vector<std::string> paths;
  {
    const std::lock_guard lock(mutex_);
    const auto keep = static_cast<size_t>(std::max<int64_t>(config_.retained, 1));
    while (completed_ids_.size() > keep) completed_ids_.pop_front();
    if (completed_ids_.size() < keep || completed_ids_.front() > checkpoint_id) return;
    std::erase_if(spent_, [&](Spent& one) {
      if (one.last_listed >= completed_ids_.front()) return false;
      paths.push_back(std::move(one.path));
      return true;
    });
  }
  for (const std::string& path : paths) {
    if (Status removed = config_.fs->remove(path); !removed) log_debug("a segment stays", {{"path", path}});
  }
}

}  // namespace millrace
