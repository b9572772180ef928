// One attempt of a job in one process of the simulation: the real checkpoint store, coordinator, epoch writers and lane
// committers; a source that replays from its position and keeps files as a spill store does; channels,
// acknowledgements and notifications that are as slow as the dice say.
#pragma once

#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/bytes.h"
#include "core/clock.h"
#include "runtime/exactly_once/epoch_writer.h"
#include "state/checkpoint_store.h"
#include "state/protocol/coordinator.h"
#include "state/snapshot_file.h"
#include "tests/unit/runtime/simulated_target.h"
#include "tests/unit/runtime/test_rows.h"
#include "tests/unit/state/spill_model.h"

namespace millrace {

constexpr int64_t kSimulatedKey = 1'000'000;  // value = key * this + number of the key
constexpr uint32_t kSimulatedMaxParallelism = 128;

class SimulatedJob {
 public:
  struct World {
    Random& random;
    FileSystem& disk;
    SimulatedTarget& target;
    ManualClock& clock;
    const std::vector<int64_t>& input;
  };

  SimulatedJob(const World& world, uint32_t parallelism)
      : world_(world),
        disk_(world.disk, life_),
        spill_(disk_, world.random.next()),
        position_(0),
        sinks_(parallelism) {}
  SimulatedJob(const SimulatedJob&) = delete;
  SimulatedJob& operator=(const SimulatedJob&) = delete;

  Lifeline& life() { return life_; }
  [[nodiscard]] bool over() const { return life_.dead || finished_ || error_; }
  [[nodiscard]] bool finished() const { return finished_; }
  [[nodiscard]] const std::optional<Error>& error() const { return error_; }
  [[nodiscard]] std::string identity() const {
    if (!store_) return "nothing";
    const JobRecord& record = store_->record();
    return "attempt " + std::to_string(record.attempt) + " of " + record.job_id.to_string().substr(0, 8) +
           " from input " + std::to_string(position_) + ", completed up to " +
           std::to_string(store_->completed_ids().empty() ? 0 : store_->completed_ids().back());
  }
  /// For people: why it goes no further.
  [[nodiscard]] std::string standing() const {
    if (!coordinator_) return "not started";
    const TriggerDecision decision = coordinator_->decide_trigger(world_.clock.wall_ms());
    std::string text = "trigger reason " + std::to_string(static_cast<int>(decision.reason)) + ", input at " +
                       std::to_string(position_) + ", in flight " +
                       std::to_string(coordinator_->in_flight().value_or(0)) + ", snapshots " +
                       std::to_string(snapshots_.size());
    for (const Sink& sink : sinks_) {
      text += sink.restored ? ", sink settled " + std::to_string(sink.settled) : ", sink not restored";
    }
    return text;
  }
  /// Somewhere inside a call, frozen or at work.
  bool busy = false;

  void start(bool take_over) {
    guarded([&] { return try_start(take_over); });
  }

  /// One thing that some part of the process would do next.
  void step(bool troubled) {
    guarded([&] { return try_step(troubled); });
  }

 private:
  struct Pending {
    int64_t checkpoint_id;
    TaskId task;
    std::vector<SnapshotPartPtr> parts;
  };
  struct Item {
    int64_t value = 0;
    int64_t barrier = 0;  // not 0: a barrier
  };
  struct Sink final : SinkEvents {
    SimulatedJob* job = nullptr;
    SinkContext context;
    SteppedEpochWriter stepped;
    std::deque<Item> channel;
    bool restored = false;
    int64_t settled = 0;

    void restored_settled() override {
      restored = true;
      job->sinks_progressed();
    }
    void epoch_settled(int64_t epoch) override {
      settled = epoch;
      job->sinks_progressed();
    }
    void failed(const Error& error) override { job->error_ = error; }
  };
  class NoRows final : public Output {
   public:
    void emit(uint32_t /*port*/, Batch /*batch*/) override {}
  };

  template <class F>
  void guarded(F act) {
    busy = true;
    if (Status status = act(); !status && !error_) error_ = status.error();
    busy = false;
  }

  Status try_start(bool take_over) {
    OpenJob open;
    open.root = "/jobs";
    open.name = "job";
    open.max_parallelism = kSimulatedMaxParallelism;
    open.start.take_over = take_over;
    open.lock = false;
    MR_ASSIGN(store_, CheckpointStore::open(disk_, world_.random, world_.clock, open));
    std::shared_ptr<const RestoredSnapshots> restored;
    int64_t restored_id = 0;
    MR_ASSIGN(const std::optional<CheckpointMetadata> newest, store_->newest());
    uploads_ = std::make_unique<SharedUploads>(disk_, disk_, store_->directory());
    MR_TRY(spill_.open());
    if (newest) {
      MR_ASSIGN(restored,
                RestoredSnapshots::open(disk_, store_->directory(), newest->handles, kSimulatedMaxParallelism, disk_));
      uploads_->restored(newest->handles);
      MR_TRY(spill_.restore(*restored));
      restored_id = newest->checkpoint_id;
      MR_TRY(restored->visit(position_state(), {0, kSimulatedMaxParallelism}, 0, 1,
                             [&](uint32_t, std::string_view, std::string_view value) -> Status {
                               position_ = std::stoull(std::string(value));
                               return {};
                             }));
    }
    std::vector<TaskId> tasks{{0, 0}};
    for (uint32_t i = 0; i < sinks_.size(); ++i) tasks.push_back({1, i});
    policy_.interval_ms = 20;
    policy_.timeout_ms = 400;
    policy_.retain = 2;
    policy_.tolerable_failures = 5;
    policy_.retry_pause_ms = 5;
    coordinator_.emplace(policy_, tasks, store_->completed_ids(), world_.clock.wall_ms());
    coordinator_->expect_restored_settled();
    coordinator_->expect_epochs_settled();
    for (const TaskId task : tasks) coordinator_->task_running(task);
    for (uint32_t i = 0; i < sinks_.size(); ++i) MR_TRY(open_sink(i, restored.get(), restored_id));
    return {};
  }

  Status open_sink(uint32_t index, const RestoredState* restored, int64_t restored_id) {
    Sink& sink = sinks_[index];
    sink.job = this;
    sink.stepped = make_stepped_epoch_writer(std::make_unique<SimulatedSinkTarget>(world_.target, life_), disk_,
                                             {.part_bytes = 1 << 20, .part_rows = 3, .block_bytes = 64});
    SinkContext& context = sink.context;
    context.sink = "out";
    context.job_name = "job";
    context.job_id = store_->record().job_id.to_string();
    context.subtask = index;
    context.parallelism = static_cast<uint32_t>(sinks_.size());
    context.clock = &world_.clock;
    context.restored = restored;
    context.owner = {store_->record().attempt, store_->record().incarnation};
    context.job_directory = store_->directory();
    context.restored_checkpoint = restored_id;
    context.retained_checkpoints = policy_.retain;
    context.events = &sink;
    return sink.stepped.writer->open(context);
  }

  Status try_step(bool troubled) {
    Sink& sink = sinks_[world_.random.below(sinks_.size())];
    switch (world_.random.below(7)) {
      case 0:
        return read_input();
      case 1:
        return take_item(sink);
      case 2:
        return write_snapshot();
      case 3:
        (void)sink.stepped.step();
        return finish_if_done();
      case 4:
        world_.clock.advance_ms(static_cast<int64_t>(world_.random.below(10)));
        return tick(troubled);
      case 5:
        return notify();
      default:
        return take_item(sink);
    }
  }

  Status read_input() {
    if (world_.random.below(3) == 0) MR_TRY(spill_.grow());
    if (!spill_.files().empty() && world_.random.below(4) == 0) spill_.forget(spill_.files().begin()->first);
    for (uint64_t rows = 1 + world_.random.below(4); rows > 0 && !final_ && position_ < world_.input.size(); --rows) {
      const int64_t value = world_.input[position_++];
      sinks_[static_cast<size_t>(value / kSimulatedKey) % sinks_.size()].channel.push_back(
          {.value = value, .barrier = 0});
    }
    if (position_ < world_.input.size()) return {};
    coordinator_->task_finished({0, 0});
    for (uint32_t i = 0; i < sinks_.size(); ++i) coordinator_->task_finished({1, i});
    return {};
  }

  Status take_item(Sink& sink) {
    if (sink.channel.empty()) return {};
    const Item item = sink.channel.front();
    sink.channel.pop_front();
    if (item.barrier == 0) {
      MR_ASSIGN(const Flow flow, sink.stepped.writer->write(numbers({item.value}), none_));
      MR_CHECK(flow == Flow::kNeedInput, "an epoch writer never holds its input");
      return {};
    }
    MR_ASSIGN(auto parts, sink.stepped.writer->snapshot_at(item.barrier));
    snapshots_.push_back({item.barrier, {1, sink.context.subtask}, std::move(parts)});
    return {};
  }

  /// The snapshot thread. Of an aborted checkpoint it may write the file or not.
  Status write_snapshot() {
    if (snapshots_.empty()) return {};
    const Pending pending = std::move(snapshots_.front());
    snapshots_.pop_front();
    if (coordinator_->in_flight() != pending.checkpoint_id && world_.random.below(2) == 0) return {};
    const Result<SnapshotHandle> handle = write_file(pending);
    if (life_.dead) return {};
    if (!handle) {
      return aborted(coordinator_->snapshot_failed(pending.checkpoint_id, pending.task, world_.clock.wall_ms()));
    }
    if (coordinator_->snapshot_taken(pending.checkpoint_id, *handle) != SnapshotVerdict::kComplete) return {};
    return complete(pending.checkpoint_id);
  }

  Result<SnapshotHandle> write_file(const Pending& pending) {
    const std::string name = snapshot_file_name(pending.checkpoint_id, store_->record().attempt, pending.task);
    SnapshotFileWriter writer(disk_, store_->directory(), name, kSimulatedMaxParallelism, uploads_.get(), disk_);
    for (const SnapshotPartPtr& part : pending.parts) MR_TRY(part->write(writer));
    MR_ASSIGN(SnapshotHandle handle, writer.finish(pending.task));
    uploads_->snapshot_written(pending.checkpoint_id, handle);
    return handle;
  }

  Status complete(int64_t id) {
    Status completed = store_->complete(id, final_ == id, coordinator_->handles());
    if (life_.dead) return {};
    if (!completed && completed.error().code == ErrorCode::kSuperseded) return completed;
    if (!completed) return aborted(coordinator_->storage_failed(id, world_.clock.wall_ms()));
    uploads_->checkpoint_completed(id);
    for (const int64_t gone : coordinator_->completed(id, world_.clock.wall_ms())) (void)store_->remove(gone);
    for (uint32_t i = 0; i < sinks_.size(); ++i) notifications_.push_back({i, id});
    return {};
  }

  Status aborted(const std::optional<AbortDecision>& decision) {
    if (!decision) return {};
    const int64_t id = decision->checkpoint_id;
    if (final_ == id) final_ = 0;
    if (id != 0) (void)store_->remove(id);
    if (decision->fail_job) return make_error(ErrorCode::kCheckpointFailed, "too many checkpoints in a row failed");
    return {};
  }

  Status tick(bool troubled) {
    const int64_t now = world_.clock.wall_ms();
    MR_TRY(aborted(coordinator_->check_timeout(now)));
    const std::optional<int64_t> in_flight = coordinator_->in_flight();
    if (in_flight && troubled && world_.random.below(6) == 0) {
      return aborted(coordinator_->storage_failed(*in_flight, now));
    }
    const TriggerDecision decision = coordinator_->decide_trigger(now);
    if (decision.kind != TriggerDecision::Kind::kTrigger) return {};
    const Result<int64_t> id = store_->reserve_checkpoint_id();
    if (life_.dead) return {};
    if (!id && id.error().code == ErrorCode::kSuperseded) return std::unexpected(id.error());
    if (!id) return aborted(coordinator_->storage_failed(0, now));
    coordinator_->started(*id, decision.final, now);
    if (decision.final) final_ = *id;
    auto part = std::make_unique<RowsSnapshot>(position_state());
    part->add(0, "input", std::to_string(position_));
    std::vector<SnapshotPartPtr> parts;
    parts.push_back(std::move(part));
    parts.push_back(spill_.freeze());
    snapshots_.push_back({*id, {0, 0}, std::move(parts)});
    for (Sink& sink : sinks_) sink.channel.push_back({.value = 0, .barrier = *id});
    return {};
  }

  Status notify() {
    if (notifications_.empty()) return {};
    const auto [sink, id] = notifications_.front();
    notifications_.pop_front();
    return sinks_[sink].stepped.writer->checkpoint_completed(id);
  }

  void sinks_progressed() {
    int64_t settled = INT64_MAX;
    bool restored = true;
    for (const Sink& sink : sinks_) {
      settled = std::min(settled, sink.settled);
      restored = restored && sink.restored;
    }
    if (restored) coordinator_->restored_settled();
    coordinator_->epoch_settled(settled);
  }

  Status finish_if_done() {
    if (error_ || !coordinator_->ended() || !coordinator_->all_settled()) return {};
    MR_TRY(store_->set_status(JobStatus::kFinished));
    finished_ = true;
    return {};
  }

  static StateDescriptor position_state() { return {"in", "position", StateKind::kSplit, "position v1"}; }

  World world_;
  Lifeline life_;
  ProcessDisk disk_;
  SpillModel spill_;
  std::unique_ptr<SharedUploads> uploads_;
  NoRows none_;
  CheckpointPolicy policy_;
  std::unique_ptr<CheckpointStore> store_;
  std::optional<CheckpointCoordinator> coordinator_;
  size_t position_;
  std::deque<Sink> sinks_;
  std::deque<Pending> snapshots_;
  std::deque<std::pair<uint32_t, int64_t>> notifications_;
  int64_t final_ = 0;  // id of the final checkpoint while it is on its way
  bool finished_ = false;
  std::optional<Error> error_;
};

}  // namespace millrace
