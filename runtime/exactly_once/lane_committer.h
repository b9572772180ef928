// The thread of a sink's subtask that talks to the target: claims the lanes at the start of an attempt, publishes what
// the restored state holds, then the entries of every completed checkpoint, in order, each part in a session and a
// transaction of its own. Transient errors are retried for ever with a growing pause; permanent ones end the job.
// The thread repeats step(); a simulation calls step() itself, in its own thread, instead of start().
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "core/file_system.h"
#include "runtime/exactly_once/lane_state.h"
#include "runtime/spi/exactly_once.h"
#include "runtime/spi/sink.h"

namespace millrace {

class LaneCommitter {
 public:
  /// What it needs of the sink's context, copied.
  struct Config {
    std::string sink;
    std::string job_id;
    std::string job_directory;
    uint32_t subtask = 0;
    uint32_t parallelism = 1;
    LaneOwner owner;
    LaneRules rules;
    int64_t restored_checkpoint = 0;
    int64_t retained = 3;
    FileSystem* fs = nullptr;
    ExactlyOnceTarget* target = nullptr;
    SinkEvents* events = nullptr;
    MetricRegistry* metrics = nullptr;
    Labels labels;
  };
  LaneCommitter(Config config, std::vector<LaneState> lanes, std::vector<std::string> unlisted_segments);
  ~LaneCommitter();
  LaneCommitter(const LaneCommitter&) = delete;
  LaneCommitter& operator=(const LaneCommitter&) = delete;

  /// What one step did.
  enum class Step : uint8_t {
    kWorked,
    kIdle,   // nothing to do before the next completed checkpoint
    kRetry,  // an error that may pass: again after a pause
    kEnded,  // reported, or the sink goes away
  };
  /// One attempt at the next thing: the claims, or one part of one entry.
  Step step();

  // The worker.
  void start();
  void add(uint32_t lane, std::shared_ptr<const LaneEntry> entry);
  /// State of all lanes for the snapshot of this checkpoint.
  std::vector<LaneState> lanes_for(int64_t checkpoint_id);
  void checkpoint_completed(int64_t checkpoint_id);

  [[nodiscard]] const std::atomic<bool>& stopping() const { return stopping_; }

 private:
  struct Spent {
    std::string path;
    int64_t last_listed = 0;
  };

  void run();
  /// False: nothing to do.
  Result<bool> advance();
  /// Lanes of ours that the restored state does not know.
  Status find_lanes();
  /// Every lane that is not ours yet; beside each other when a thread of our own may wait.
  Status claim_all();
  Status claim(size_t index);
  Status try_claim(const LaneState& lane, CommitMarker& known);
  /// False: no lane has an entry up to this epoch.
  Result<bool> publish_next(int64_t up_to);
  Status publish_part(size_t index, const SegmentEntry& entry, uint32_t part);
  Result<bool> try_part(size_t index, const SegmentEntry& entry, const CommitMarker& marker, PartRows& rows);
  void settled(size_t index, const LaneEntry& entry);
  void count_pending();
  void remove_spent(int64_t checkpoint_id);
  [[nodiscard]] LaneId id_of(const LaneState& lane) const;
  [[nodiscard]] std::string place(const LaneState& lane) const;

  Config config_;
  // The committer's thread.
  std::vector<CommitMarker> known_;  // per lane
  std::vector<uint8_t> ours_;        // per lane: claimed
  bool lanes_found_ = false;
  bool claimed_ = false;
  bool restored_ = false;
  bool ended_ = false;
  bool threaded_ = false;
  int64_t goal_ = 0;   // being published
  int64_t done_ = 0;   // published
  uint32_t part_ = 0;  // next one of the entry at hand
  MetricPtr commits_;
  MetricPtr failures_;
  MetricPtr skipped_;
  MetricPtr duration_;
  MetricPtr pending_;

  std::mutex mutex_;  // guards what follows
  std::condition_variable wake_;
  std::vector<LaneState> lanes_;
  int64_t completed_ = 0;
  bool asked_again_ = false;  // for an acknowledgement that was given already
  int64_t last_snapshot_ = 0;
  std::deque<int64_t> completed_ids_;
  std::vector<Spent> spent_;

  std::atomic<bool> stopping_{false};
  std::thread thread_;
};

}  // namespace millrace
