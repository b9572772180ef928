#include "state/protocol/coordinator.h"

#include <catch2/catch.hpp>

#include "plan/job_graph.h"
#include "state/protocol/start_decision.h"

namespace millrace {

namespace {

using TriggerKind = TriggerDecision::Kind;
using WaitReason = TriggerDecision::Reason;

const TaskId kCoordinatorA{0, 0};
const TaskId kCoordinatorB{1, 0};

CheckpointPolicy coordinator_policy() {
  CheckpointPolicy policy;
  policy.interval_ms = 100;
  policy.min_pause_ms = 30;
  policy.timeout_ms = 1000;
  policy.tolerable_failures = 2;
  policy.retain = 2;
  policy.retry_pause_ms = 50;
  policy.unsettled_max = 2;
  return policy;
}

CheckpointCoordinator running_coordinator(CheckpointPolicy policy = coordinator_policy()) {
  CheckpointCoordinator c(policy, {kCoordinatorA, kCoordinatorB}, {}, 0);
  c.task_running(kCoordinatorA);
  c.task_running(kCoordinatorB);
  return c;
}

SnapshotHandle coordinator_handle(TaskId task) { return {task, "f", 1, 2, {}}; }

std::vector<int64_t> run_checkpoint(CheckpointCoordinator& c, int64_t id, int64_t start, int64_t end,
                                    bool final = false) {
  c.started(id, final, start);
  REQUIRE(c.snapshot_taken(id, coordinator_handle(kCoordinatorB)) == SnapshotVerdict::kWaiting);
  REQUIRE(c.snapshot_taken(id, coordinator_handle(kCoordinatorA)) == SnapshotVerdict::kComplete);
  return c.completed(id, end);
}

void require_wait(const CheckpointCoordinator& c, int64_t now, WaitReason reason, int64_t at) {
  const TriggerDecision d = c.decide_trigger(now);
  REQUIRE(d.kind == TriggerKind::kWait);
  REQUIRE(d.reason == reason);
  REQUIRE(d.at_ms == at);
}

void require_trigger(const CheckpointCoordinator& c, int64_t now, bool final) {
  const TriggerDecision d = c.decide_trigger(now);
  REQUIRE(d.kind == TriggerKind::kTrigger);
  REQUIRE(d.final == final);
}

}  // namespace

TEST_CASE("a trigger waits for the tasks, the interval, the one in flight and the pause") {
  CheckpointCoordinator c(coordinator_policy(), {kCoordinatorA, kCoordinatorB}, {}, 0);
  c.task_running(kCoordinatorA);
  require_wait(c, 500, WaitReason::kTasksStarting, -1);
  c.task_running(kCoordinatorB);
  require_wait(c, 99, WaitReason::kInterval, 100);
  require_trigger(c, 100, false);
  c.started(1, false, 100);
  require_wait(c, 300, WaitReason::kInFlight, 1100);
  REQUIRE(c.snapshot_taken(1, coordinator_handle(kCoordinatorA)) == SnapshotVerdict::kWaiting);
  REQUIRE(c.snapshot_taken(1, coordinator_handle(kCoordinatorB)) == SnapshotVerdict::kComplete);
  REQUIRE(c.handles().size() == 2);
  REQUIRE(c.completed(1, 190).empty());
  require_wait(c, 199, WaitReason::kPause, 220);  // 190 + 30 is later than 100 + 100
  require_trigger(c, 220, false);
}

TEST_CASE("without an interval only requests and the end trigger") {
  CheckpointPolicy policy = coordinator_policy();
  policy.interval_ms = 0;
  CheckpointCoordinator c = running_coordinator(policy);
  require_wait(c, 1'000'000, WaitReason::kInterval, -1);
  c.request_checkpoint();
  require_trigger(c, 1'000'000, false);
  c.started(1, false, 1'000'000);
  REQUIRE(c.cancel() == 1);
  require_wait(c, 1'000'001, WaitReason::kInterval, -1);
  c.request_stop();
  require_trigger(c, 1'000'001, true);
}

TEST_CASE("acknowledgements of other checkpoints and repeated ones are stale") {
  CheckpointCoordinator c = running_coordinator();
  REQUIRE(c.snapshot_taken(1, coordinator_handle(kCoordinatorA)) == SnapshotVerdict::kStale);
  c.started(5, false, 100);
  REQUIRE(c.snapshot_taken(4, coordinator_handle(kCoordinatorA)) == SnapshotVerdict::kStale);
  REQUIRE(c.snapshot_taken(5, coordinator_handle({9, 9})) == SnapshotVerdict::kStale);
  REQUIRE(c.snapshot_taken(5, coordinator_handle(kCoordinatorA)) == SnapshotVerdict::kWaiting);
  REQUIRE(c.snapshot_taken(5, coordinator_handle(kCoordinatorA)) == SnapshotVerdict::kStale);
  REQUIRE_FALSE(c.snapshot_failed(4, kCoordinatorB, 110));
  REQUIRE_FALSE(c.snapshot_failed(5, kCoordinatorA, 110));
  REQUIRE_FALSE(c.storage_failed(4, 110));
  REQUIRE(c.in_flight() == 5);
}

TEST_CASE("a checkpoint that takes too long is aborted and names who is missing") {
  CheckpointCoordinator c = running_coordinator();
  c.started(1, false, 100);
  REQUIRE(c.snapshot_taken(1, coordinator_handle(kCoordinatorA)) == SnapshotVerdict::kWaiting);
  REQUIRE_FALSE(c.check_timeout(1099));
  const auto abort = c.check_timeout(1100);
  REQUIRE(abort);
  REQUIRE(abort->checkpoint_id == 1);
  REQUIRE(abort->cause == AbortCause::kTimeout);
  REQUIRE(abort->missing == std::vector<TaskId>{kCoordinatorB});
  REQUIRE_FALSE(abort->fail_job);
  REQUIRE_FALSE(c.check_timeout(5000));
  REQUIRE(c.snapshot_taken(1, coordinator_handle(kCoordinatorB)) == SnapshotVerdict::kStale);
}

TEST_CASE("failures in a row beyond the tolerable number fail the job, and a success clears them") {
  CheckpointCoordinator c = running_coordinator();
  for (int64_t id = 1; id <= 2; ++id) {
    c.started(id, false, id * 100);
    REQUIRE_FALSE(c.snapshot_failed(id, kCoordinatorA, id * 100 + 1)->fail_job);
  }
  run_checkpoint(c, 3, 300, 310);
  REQUIRE(c.failures_in_row() == 0);
  for (int64_t id = 4; id <= 5; ++id) {
    c.started(id, false, id * 100);
    REQUIRE_FALSE(c.storage_failed(id, id * 100 + 1)->fail_job);
  }
  REQUIRE(c.storage_failed(0, 600)->fail_job);  // not even an id could be reserved
}

TEST_CASE("the end of all tasks makes a final checkpoint due at once, and then the job has ended") {
  CheckpointCoordinator c = running_coordinator();
  c.task_finished(kCoordinatorA);
  require_wait(c, 10, WaitReason::kInterval, 100);
  c.task_finished(kCoordinatorB);
  REQUIRE(c.all_finished());
  require_trigger(c, 10, true);
  REQUIRE(run_checkpoint(c, 1, 10, 12, true).empty());
  REQUIRE(c.ended());
  require_wait(c, 1000, WaitReason::kEnded, -1);
}

TEST_CASE("a stop during a checkpoint lets it end and then takes the final one") {
  CheckpointCoordinator c = running_coordinator();
  c.started(1, false, 100);
  c.request_stop();
  require_wait(c, 110, WaitReason::kInFlight, 1100);
  REQUIRE(c.snapshot_taken(1, coordinator_handle(kCoordinatorA)) == SnapshotVerdict::kWaiting);
  REQUIRE(c.snapshot_taken(1, coordinator_handle(kCoordinatorB)) == SnapshotVerdict::kComplete);
  REQUIRE(c.completed(1, 120).empty());
  REQUIRE_FALSE(c.ended());
  require_trigger(c, 120, true);  // min_pause does not hold a stop up
}

TEST_CASE("a failed final checkpoint is tried again after a pause") {
  CheckpointCoordinator c = running_coordinator();
  c.request_stop();
  c.started(1, true, 10);
  REQUIRE(c.snapshot_failed(1, kCoordinatorA, 20));
  require_wait(c, 21, WaitReason::kPause, 70);
  require_trigger(c, 70, true);
}

TEST_CASE("nothing is triggered before the restored output is published") {
  CheckpointCoordinator c = running_coordinator();
  c.expect_restored_settled();
  c.request_stop();
  require_wait(c, 500, WaitReason::kRestoredUnsettled, -1);
  c.restored_settled();
  require_trigger(c, 500, true);
}

TEST_CASE("sinks that fall behind hold the trigger, not the barrier") {
  CheckpointCoordinator c = running_coordinator();
  c.expect_epochs_settled();
  run_checkpoint(c, 1, 100, 101);
  run_checkpoint(c, 2, 200, 201);
  require_wait(c, 900, WaitReason::kSinksBehind, -1);
  c.epoch_settled(1);
  require_trigger(c, 900, false);
}

TEST_CASE("completing returns the checkpoints beyond the retained number") {
  CheckpointCoordinator c(coordinator_policy(), {kCoordinatorA, kCoordinatorB}, {3, 4}, 0);
  REQUIRE(run_checkpoint(c, 17, 100, 101) == std::vector<int64_t>{3});
  REQUIRE(run_checkpoint(c, 18, 200, 201) == std::vector<int64_t>{4});
  REQUIRE(subsumed_checkpoints({1, 2, 3}, 0) == std::vector<int64_t>{1, 2});
  REQUIRE(subsumed_checkpoints({}, 3).empty());
}

TEST_CASE("a checkpoint's barriers overtake once it has taken long enough, and are told once") {
  CheckpointPolicy policy = coordinator_policy();
  policy.unaligned_after_ms = 40;
  CheckpointCoordinator c = running_coordinator(policy);
  REQUIRE_FALSE(c.overtake(1000));  // nothing is in flight
  c.started(7, false, 100);
  require_wait(c, 110, WaitReason::kInFlight, 140);
  REQUIRE_FALSE(c.overtake(139));
  REQUIRE_FALSE(c.overtaking());
  REQUIRE(c.overtake(140) == 7);
  REQUIRE(c.overtaking());
  REQUIRE_FALSE(c.overtake(141));
  require_wait(c, 150, WaitReason::kInFlight, 1100);
}

TEST_CASE(
    "barriers do not overtake by default, nor those of a final checkpoint, nor where rows must not be in flight") {
  CheckpointCoordinator by_default = running_coordinator();
  by_default.started(1, false, 0);
  REQUIRE_FALSE(by_default.overtake(999));
  CheckpointPolicy policy = coordinator_policy();
  policy.unaligned_after_ms = 0;
  CheckpointCoordinator c = running_coordinator(policy);
  c.started(1, true, 0);
  REQUIRE_FALSE(c.overtake(10));
  c.started(2, false, 20, true);
  REQUIRE_FALSE(c.overtake(30));
  c.started(3, false, 40);
  REQUIRE(c.overtake(40) == 3);
}

TEST_CASE("another policy counts from the next decision on") {
  CheckpointCoordinator c = running_coordinator();
  require_wait(c, 50, WaitReason::kInterval, 100);
  CheckpointPolicy policy = coordinator_policy();
  policy.interval_ms = 500;
  policy.unaligned_after_ms = 10;
  c.change_policy(policy);
  require_wait(c, 50, WaitReason::kInterval, 500);
  c.started(1, false, 500);
  REQUIRE(c.overtake(510) == 1);
}

TEST_CASE("a start uses the state that the request and the directory call for") {
  using D = StartDecision;
  struct Row {
    StartRequest request;
    StartFacts facts;
    D expected;
  };
  const std::vector<Row> table = {
      {{}, {false, JobStatus::kRunning}, D::kFirst},
      {{"", "", true, false}, {false, JobStatus::kRunning}, D::kFirst},
      {{}, {true, JobStatus::kRunning}, D::kResume},
      {{}, {true, JobStatus::kSuspended}, D::kResume},
      {{}, {true, JobStatus::kFailed}, D::kResume},
      {{"", "", false, true}, {true, JobStatus::kRunning}, D::kResume},
      {{}, {true, JobStatus::kFinished}, D::kFreshEnded},
      {{}, {true, JobStatus::kCanceled}, D::kFreshEnded},
      {{"", "", true, false}, {true, JobStatus::kRunning}, D::kFreshAside},
      {{"", "", true, false}, {true, JobStatus::kFinished}, D::kFreshAside},
      {{"chk-1", "", false, false}, {true, JobStatus::kFinished}, D::kRestorePath},
      {{"chk-1", "", false, false}, {false, JobStatus::kRunning}, D::kRestorePath},
      {{"", "chk-1", false, false}, {true, JobStatus::kRunning}, D::kForkPath},
  };
  for (const Row& row : table) REQUIRE(decide_start(row.request, row.facts) == row.expected);
}

TEST_CASE("job status names can be read back") {
  for (const auto status :
       {JobStatus::kRunning, JobStatus::kSuspended, JobStatus::kFailed, JobStatus::kFinished, JobStatus::kCanceled}) {
    JobStatus back{};
    REQUIRE(parse_job_status(job_status_name(status), back));
    REQUIRE(back == status);
  }
  JobStatus back{};
  REQUIRE_FALSE(parse_job_status("DANCING", back));
}

}  // namespace millrace
