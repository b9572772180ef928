#include <catch2/catch.hpp>

#include "tests/unit/jobmanager/master_fixture.h"

namespace millrace {

TEST_CASE("A checkpoint is triggered at the interval, once all tasks run, and completes with the last answer") {
  MasterFixture job;
  job.start();
  job.pass_ms(5000);
  REQUIRE(job.link.of<TriggerCheckpoint>().empty());
  job.tasks_run();  // overdue by now
  REQUIRE(job.link.of<TriggerCheckpoint>().size() == 1);
  const int64_t id = job.triggered();
  job.master->handle(SnapshotTaken{job.job_id(), job.attempt(), id, {job.tasks[0], "", 0, 0, {}}, false});
  job.master->handle(SnapshotTaken{job.job_id(), job.attempt(), id, {job.tasks[2], "", 0, 0, {}}, false});
  REQUIRE(job.link.of<CheckpointCompleted>().empty());
  job.master->handle(SnapshotTaken{job.job_id(), job.attempt(), id, {job.tasks[1], "", 0, 0, {}}, false});
  REQUIRE(job.link.of<CheckpointCompleted>().size() == 1);
  REQUIRE(job.master->view().last_checkpoint_id == id);
  REQUIRE(job.master->next_deadline_ms() == job.clock.wall_ms() + 1000);
}

TEST_CASE("A checkpoint that times out is aborted, and one failure too many fails the job") {
  MasterFixture job;
  job.start();
  job.tasks_run();
  job.pass_ms(1000);
  REQUIRE(job.link.of<TriggerCheckpoint>().size() == 1);
  job.pass_ms(5000);
  REQUIRE(job.link.of<CheckpointAborted>().size() == 1);
  REQUIRE(job.master->state() == JobState::kRunning);
  job.pass_ms(1000);
  REQUIRE(job.link.of<TriggerCheckpoint>().size() == 2);
  job.pass_ms(5000);
  REQUIRE(job.master->state() == JobState::kFailing);
  REQUIRE(job.master->view().failure->code == "E0509");
}

TEST_CASE("A lost task manager starts the job again at once, and is not counted by the restart strategy") {
  MasterFixture job;
  job.restart_attempts = 0;
  job.start();
  job.tasks_run();
  const int64_t first_attempt = job.attempt();
  job.fail_task("E0510");  // a survivor tells first
  job.master->task_manager_lost("tm0", "closed");
  REQUIRE(job.master->state() == JobState::kRestarting);
  REQUIRE(job.master->next_deadline_ms() == job.clock.wall_ms());
  job.pass_ms(0);
  REQUIRE(job.master->state() == JobState::kRunning);
  REQUIRE(job.attempt() == first_attempt + 1);
  REQUIRE(job.master->view().restarts == 1);
  job.tasks_run();
  job.fail_task("E0510");
  job.cancelled();
  REQUIRE(job.master->state() == JobState::kFailed);  // the job's own failure, and no attempts
}

TEST_CASE("A failed job restarts from its last completed checkpoint under a new attempt") {
  MasterFixture job;
  job.start();
  job.tasks_run();
  job.pass_ms(1000);
  const int64_t completed = job.triggered();
  job.acknowledge(completed);
  const int64_t first_attempt = job.attempt();
  job.fail_task("E0303");
  REQUIRE(job.master->state() == JobState::kFailing);
  REQUIRE(job.link.of<CancelJob>().size() == 1);
  job.cancelled();
  REQUIRE(job.master->state() == JobState::kRestarting);
  REQUIRE(job.master->next_deadline_ms() == job.clock.wall_ms() + 50);
  job.pass_ms(50);
  REQUIRE(job.master->state() == JobState::kRunning);
  REQUIRE(job.attempt() == first_attempt + 1);
  REQUIRE(job.deployed().restore_checkpoint == completed);

  // What the old attempt still says is dropped.
  job.master->handle(TaskFailed{job.job_id(), first_attempt, job.tasks[0], "in", "E0303", "late", ""});
  REQUIRE(job.master->state() == JobState::kRunning);

  job.fail_task("E0303");
  job.cancelled();
  REQUIRE(job.master->state() == JobState::kFailed);  // attempts: 1
}

TEST_CASE("A permanent error is not repeated") {
  MasterFixture job;
  job.start();
  job.tasks_run();
  job.fail_task("E0501");
  job.cancelled();
  REQUIRE(job.master->state() == JobState::kFailed);
  REQUIRE(job.master->view().failure->step == "in");
}

TEST_CASE("Damaged state of a running task is tried again once, from files that are compared first") {
  MasterFixture job;
  job.restart_attempts = 100;
  job.start();
  job.tasks_run();
  job.pass_ms(1000);
  job.acknowledge(job.triggered());
  REQUIRE_FALSE(job.deployed().restore_verified);
  job.fail_task("E0402");
  job.cancelled();
  job.pass_ms(50);
  REQUIRE(job.master->state() == JobState::kRunning);
  REQUIRE(job.deployed().restore_verified);

  job.tasks_run();
  job.pass_ms(1000);
  job.acknowledge(job.triggered());  // from here on it counts anew
  job.fail_task("E0402");
  job.cancelled();
  job.pass_ms(50);
  REQUIRE(job.master->state() == JobState::kRunning);
  job.tasks_run();
  job.fail_task("E0402");
  job.cancelled();
  REQUIRE(job.master->state() == JobState::kFailed);
}

TEST_CASE("A damaged checkpoint is not restored again") {
  MasterFixture job;
  job.restart_attempts = 100;
  job.start();
  job.fail_task("E0402");
  job.cancelled();
  REQUIRE(job.master->state() == JobState::kFailed);
}

TEST_CASE("A bounded job ends with a final checkpoint, and its next run starts afresh") {
  MasterFixture job;
  job.start();
  const std::string first_id = job.job_id();
  job.tasks_run();
  for (const TaskId task : job.tasks) job.master->handle(TaskFinished{job.job_id(), job.attempt(), task});
  const auto triggers = job.link.of<TriggerCheckpoint>();
  REQUIRE(triggers.size() == 1);
  REQUIRE(triggers[0].final);
  job.acknowledge(triggers[0].checkpoint_id);
  REQUIRE(job.link.of<CheckpointCompleted>().size() == 1);
  REQUIRE(job.master->state() == JobState::kEnding);
  job.cancelled();
  REQUIRE(job.master->state() == JobState::kFinished);
  job.start();
  REQUIRE(job.job_id() != first_id);
  REQUIRE(job.deployed().restore_checkpoint == 0);
}

TEST_CASE("A stopped job keeps its state, and the next run goes on from the final checkpoint") {
  MasterFixture job;
  job.start();
  const std::string first_id = job.job_id();
  job.tasks_run();
  job.master->request_stop();
  REQUIRE(job.link.of<TriggerCheckpoint>().back().final);
  const int64_t final_checkpoint = job.triggered();
  job.acknowledge(final_checkpoint);
  job.cancelled();
  REQUIRE(job.master->state() == JobState::kSuspended);
  job.start();
  REQUIRE(job.job_id() == first_id);
  REQUIRE(job.deployed().restore_checkpoint == final_checkpoint);
  job.tasks_run();
  job.pass_ms(1000);
  REQUIRE(job.triggered() > final_checkpoint);
}

TEST_CASE("A job ended without a checkpoint resumes, a cancelled one does not") {
  MasterFixture job;
  job.start();
  const std::string first_id = job.job_id();
  job.tasks_run();
  job.pass_ms(1000);
  job.acknowledge(job.triggered());
  job.master->request_cancel(true);
  job.cancelled();
  REQUIRE(is_terminal(job.master->state()));
  job.start();
  REQUIRE(job.job_id() == first_id);
  REQUIRE(job.deployed().restore_checkpoint != 0);
  job.master->request_cancel(false);
  job.cancelled();
  REQUIRE(job.master->state() == JobState::kCanceled);
  job.start();
  REQUIRE(job.job_id() != first_id);
}

TEST_CASE("With an exactly-once sink nothing is triggered before the restored output is published") {
  MasterFixture job;
  job.sink_settles();
  job.start();
  job.tasks_run();
  job.pass_ms(5000);
  REQUIRE(job.link.of<TriggerCheckpoint>().empty());
  job.master->handle(RestoredSettled{job.job_id(), job.attempt(), job.tasks[2], "out"});
  REQUIRE(job.link.of<TriggerCheckpoint>().size() == 1);
}

TEST_CASE("An exactly-once sink that falls behind holds triggers back") {
  MasterFixture job;
  job.sink_settles();
  job.start();
  job.tasks_run();
  job.master->handle(RestoredSettled{job.job_id(), job.attempt(), job.tasks[2], "out"});
  for (int i = 0; i < 4; ++i) {
    job.pass_ms(1000);
    job.acknowledge(job.triggered());
  }
  REQUIRE(job.link.of<CheckpointCompleted>().size() == 4);
  job.pass_ms(1000);
  REQUIRE(job.link.of<TriggerCheckpoint>().size() == 4);
  const int64_t oldest = job.link.of<CheckpointCompleted>().front().checkpoint_id;
  job.master->handle(EpochSettled{job.job_id(), job.attempt(), job.tasks[2], "out", oldest});
  REQUIRE(job.link.of<TriggerCheckpoint>().size() == 5);
}

TEST_CASE("Sinks that have not published a checkpoint's output are told again until they have") {
  MasterFixture job;
  job.sink_settles();
  job.start();
  job.tasks_run();
  job.master->handle(RestoredSettled{job.job_id(), job.attempt(), job.tasks[2], "out"});
  for (const TaskId task : job.tasks) job.master->handle(TaskFinished{job.job_id(), job.attempt(), task});
  job.acknowledge(job.triggered());
  REQUIRE(job.link.of<CheckpointCompleted>().size() == 1);
  job.pass_ms(9'000);
  REQUIRE(job.link.of<CheckpointCompleted>().size() == 1);
  job.pass_ms(1'000);
  REQUIRE(job.link.of<CheckpointCompleted>().size() == 2);
  REQUIRE(job.link.of<CheckpointCompleted>().back().checkpoint_id == job.triggered());
  job.master->handle(EpochSettled{job.job_id(), job.attempt(), job.tasks[2], "out", job.triggered()});
  job.pass_ms(20'000);
  REQUIRE(job.link.of<CheckpointCompleted>().size() == 2);
}

TEST_CASE("A bounded job ends only after its last output is published") {
  MasterFixture job;
  job.sink_settles();
  job.start();
  job.tasks_run();
  job.master->handle(RestoredSettled{job.job_id(), job.attempt(), job.tasks[2], "out"});
  for (const TaskId task : job.tasks) job.master->handle(TaskFinished{job.job_id(), job.attempt(), task});
  REQUIRE(job.link.of<TriggerCheckpoint>().back().final);
  job.acknowledge(job.triggered());
  REQUIRE(job.master->state() == JobState::kRunning);
  REQUIRE(job.link.of<CancelJob>().empty());
  job.master->handle(EpochSettled{job.job_id(), job.attempt(), job.tasks[2], "out", job.triggered()});
  REQUIRE(job.master->state() == JobState::kEnding);
  job.cancelled();
  REQUIRE(job.master->state() == JobState::kFinished);
}

}  // namespace millrace
