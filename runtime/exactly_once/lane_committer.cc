#include "runtime/exactly_once/lane_committer.h"

#include <algorithm>
#include <chrono>
#include <set>

#include "core/crash_point.h"
#include "core/log.h"

namespace millrace {

namespace {

constexpr auto kPauseMin = std::chrono::milliseconds(50);
constexpr auto kPauseMax = std::chrono::milliseconds(10'000);
constexpr size_t kClaimsMax = 16;  // beside each other

std::unexpected<Error> superseded(const std::string& place, bool same_attempt) {
  return make_error(ErrorCode::kSuperseded,
                    place + (same_attempt ? ": another process writes under the same attempt of this job"
                                          : ": a newer attempt of this job has taken the output over"));
}

uint32_t compared_part(uint32_t part) { return seeded_bug("parts_ignored") ? 0 : part; }

std::unexpected<Error> lost_progress(const std::string& place) {
  return make_error(ErrorCode::kRefusedByState,
                    place +
                        ": the target's commit marker is missing or older than the state remembers; output that was "
                        "published could be published again",
                    "bring the progress back, or accept possible repetitions with --accept-lost-progress");
}

}  // namespace

LaneCommitter::LaneCommitter(Config config, std::vector<LaneState> lanes, std::vector<std::string> unlisted_segments)
    : config_(std::move(config)), known_(lanes.size()), ours_(lanes.size()), lanes_(std::move(lanes)) {
  completed_ = config_.restored_checkpoint;
  last_snapshot_ = config_.restored_checkpoint;
  if (seeded_bug("one_owner")) config_.owner = {1, 1};
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
  threaded_ = true;
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
    // Notifications are repeated until they are acknowledged.
    if (checkpoint_id <= completed_) {
      asked_again_ = true;
    } else {
      completed_ = checkpoint_id;
      completed_ids_.push_back(checkpoint_id);
    }
  }
  wake_.notify_all();
}

LaneId LaneCommitter::id_of(const LaneState& lane) const {
  if (seeded_bug("name_is_identity")) return {"job", config_.sink, lane.lane, lane.lane + 1};
  return {config_.job_id, config_.sink, lane.lane, std::max(config_.parallelism, lane.lane + 1)};
}

std::string LaneCommitter::place(const LaneState& lane) const {
  return "sink `" + config_.sink + "`, lane " + std::to_string(lane.lane);
}

void LaneCommitter::run() {
  auto pause = kPauseMin;
  while (true) {
    const Step did = step();
    if (did == Step::kEnded) return;
    if (did == Step::kWorked) {
      pause = kPauseMin;
      continue;
    }
    std::unique_lock lock(mutex_);
    if (did == Step::kIdle) {
      wake_.wait(lock, [this] { return stopping_ || asked_again_ || completed_ > done_; });
    } else {
      wake_.wait_for(lock, pause, [this] { return stopping_.load(); });
      pause = std::min(pause * 2, kPauseMax);
    }
  }
}

LaneCommitter::Step LaneCommitter::step() {
  if (stopping_ || ended_) return Step::kEnded;
  const Result<bool> worked = advance();
  if (worked) return *worked ? Step::kWorked : Step::kIdle;
  const Error& error = worked.error();
  if (error.transient()) {
    if (failures_) failures_->add(1);
    log_warn("output is not published yet, trying again", {{"error", error.to_string()}});
    return Step::kRetry;
  }
  ended_ = true;
  if (error.code != ErrorCode::kCancelled) config_.events->failed(error);
  return Step::kEnded;
}

Result<bool> LaneCommitter::advance() {
  if (!claimed_) {
    if (!lanes_found_) MR_TRY(find_lanes());
    lanes_found_ = true;
    // Every lane is ours before anything is published: a key may have moved from one lane to another.
    MR_TRY(claim_all());
    claimed_ = true;
    crash_point("recover.claimed");
    return true;
  }
  if (!restored_) {
    MR_ASSIGN(const bool more, publish_next(config_.restored_checkpoint));
    if (more) return true;
    restored_ = true;
    done_ = goal_ = config_.restored_checkpoint;
    crash_point("recover.published");
    config_.events->restored_settled();
    return true;
  }
  if (goal_ == done_) {
    const std::lock_guard lock(mutex_);
    if (completed_ <= done_ && !asked_again_) return false;
    asked_again_ = false;
    goal_ = completed_;
  }
  MR_ASSIGN(const bool more, publish_next(goal_));
  if (more) return true;
  done_ = goal_;
  config_.events->epoch_settled(done_);
  remove_spent(done_);
  return true;
}

Status LaneCommitter::find_lanes() {
  MR_ASSIGN(const uint32_t known, config_.target->known_lanes());
  const std::lock_guard lock(mutex_);
  for (uint32_t lane = config_.subtask; lane < known; lane += config_.parallelism) {
    if (std::ranges::any_of(lanes_, [lane](const LaneState& one) { return one.lane == lane; })) continue;
    lanes_.push_back({.lane = lane, .remembered = {}, .entries = {}});
    known_.emplace_back();
    ours_.push_back(0);
  }
  return {};
}

Status LaneCommitter::claim_all() {
  std::vector<size_t> left;
  for (size_t i = 0; i < ours_.size(); ++i) {
    if (ours_[i] == 0) left.push_back(i);
  }
  std::vector<Status> results(left.size());
  // Taking over an open transaction costs half a second in Kafka: the lanes wait together.
  for (size_t begin = 0; begin < left.size(); begin += kClaimsMax) {
    std::vector<std::thread> others;
    const size_t end = std::min(left.size(), begin + kClaimsMax);
    for (size_t i = begin + 1; i < end && threaded_; ++i) {
      others.emplace_back([&, i] { results[i] = claim(left[i]); });
    }
    for (size_t i = begin; i < (threaded_ ? begin + 1 : end); ++i) results[i] = claim(left[i]);
    for (std::thread& other : others) other.join();
  }
  Status first;
  for (Status& result : results) {
    if (!result && !result.error().transient()) return std::move(result);
    if (!result && first) first = std::move(result);
  }
  return first;
}

Status LaneCommitter::claim(size_t index) {
  if (Status claimed = try_claim(lanes_[index], known_[index]); !claimed) {
    return std::unexpected(std::move(claimed).error().with_context("claim of " + place(lanes_[index])));
  }
  ours_[index] = 1;
  const std::lock_guard lock(mutex_);
  lanes_[index].remembered = EpochPart{known_[index].epoch, known_[index].part};
  return {};
}

Status LaneCommitter::try_claim(const LaneState& lane, CommitMarker& known) {
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
  return {};
}

Result<bool> LaneCommitter::publish_next(int64_t up_to) {
  count_pending();
  for (size_t index = 0; index < lanes_.size(); ++index) {
    std::shared_ptr<const LaneEntry> entry;
    {
      const std::lock_guard lock(mutex_);
      const auto& entries = lanes_[index].entries;
      if (entries.empty() || entries.front()->data.epoch > up_to) continue;
      entry = entries.front();
    }
    if (part_ < entry->data.parts.size()) {
      if (part_ > 0) crash_point("commit.between_parts");
      MR_TRY(publish_part(index, entry->data, part_));
      ++part_;
    }
    if (part_ < entry->data.parts.size()) return true;
    part_ = 0;
    settled(index, *entry);
    crash_point("commit.acknowledged");
    return true;
  }
  return false;
}

void LaneCommitter::count_pending() {
  if (!pending_) return;
  const std::lock_guard lock(mutex_);
  std::set<int64_t> epochs;
  for (const LaneState& lane : lanes_) {
    for (const auto& entry : lane.entries) {
      if (entry->data.epoch <= completed_) epochs.insert(entry->data.epoch);
    }
  }
  pending_->set(static_cast<double>(epochs.size()));
}

Status LaneCommitter::publish_part(size_t index, const SegmentEntry& entry, uint32_t part) {
  const CommitMarker& known = known_[index];
  // Published before us, as the claim found: its segment may be gone.
  if (EpochPart{entry.epoch, compared_part(part)} <= EpochPart{known.epoch, known.part} && !seeded_bug("skip_marker")) {
    if (skipped_) skipped_->add(1);
    return {};
  }
  const SegmentPart& border = entry.parts[part];
  const std::string path = join_path(config_.job_directory, entry.file);
  std::string where = place(lanes_[index]) + ", epoch " + std::to_string(entry.epoch);
  if (entry.parts.size() > 1) where += ", part " + std::to_string(part);
  auto skipped = read_skipped_rows(*config_.fs, path, part);
  if (!skipped) return std::unexpected(std::move(skipped).error().with_context(where));
  const CommitMarker marker{config_.owner.generation,
                            config_.owner.incarnation,
                            entry.epoch,
                            part,
                            static_cast<uint32_t>(entry.parts.size()),
                            border.rows - skipped->size(),
                            border.crc};
  const auto began = std::chrono::steady_clock::now();
  auto rows = SegmentPartReader::open(*config_.fs, path, border, std::move(*skipped));
  if (!rows) return std::unexpected(std::move(rows).error().with_context(where));
  auto published = try_part(index, entry, marker, **rows);
  if (!published) return std::unexpected(std::move(published).error().with_context(where));
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - began;
  if (duration_) duration_->set(took.count());
  if (const MetricPtr& count = *published ? commits_ : skipped_) count->add(1);
  return {};
}

Result<bool> LaneCommitter::try_part(size_t index, const SegmentEntry& entry, const CommitMarker& marker,
                                     PartRows& rows) {
  crash_point("commit.begin");
  MR_ASSIGN(std::unique_ptr<LaneSession> session, config_.target->open_session(id_of(lanes_[index])));
  MR_ASSIGN(const std::optional<CommitMarker> found, session->last_committed());
  crash_point("commit.inited");
  CommitVerdict verdict =
      decide_commit(found, config_.owner, known_[index], {marker.epoch, compared_part(marker.part)});
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
