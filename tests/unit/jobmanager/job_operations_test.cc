#include <catch2/catch.hpp>
#include <filesystem>

#include "tests/unit/jobmanager/master_fixture.h"

namespace millrace {

namespace {

const OperationView& operation(const JobMaster& master, const std::string& id) {
  for (const OperationView& one : master.view().operations) {
    if (one.trigger_id == id) return one;
  }
  FAIL("no operation " << id);
  return master.view().operations.front();
}

}  // namespace

TEST_CASE("A savepoint is a checkpoint triggered after it was asked for, copied to where it was wished") {
  MasterFixture job;
  job.start();
  job.tasks_run();
  job.pass_ms(1000);
  const int64_t earlier = job.triggered();
  const std::string target = (job.root / "elsewhere").string();
  job.master->request_savepoint({"op1", target});
  job.acknowledge(earlier);  // triggered before: it does not count
  REQUIRE_FALSE(operation(*job.master, "op1").done);
  job.pass_ms(0);
  REQUIRE(job.triggered() > earlier);
  job.acknowledge(job.triggered());
  REQUIRE(operation(*job.master, "op1").done);
  REQUIRE(operation(*job.master, "op1").path == target);
  REQUIRE(std::filesystem::exists(target + "/_metadata"));
  REQUIRE(job.master->view().recent_checkpoints.front().path == target);
  REQUIRE(job.master->state() == JobState::kRunning);
}

TEST_CASE("A savepoint whose checkpoint fails has failed, with the reason") {
  MasterFixture job;
  job.start();
  job.tasks_run();
  job.master->request_savepoint({"op1", (job.root / "elsewhere").string()});
  job.master->handle(SnapshotFailed{job.job_id(), job.attempt(), job.triggered(), job.tasks[0], "E0504", "disk full"});
  REQUIRE(operation(*job.master, "op1").failure->message.find("disk full") != std::string::npos);
}

TEST_CASE("A stop answers when the job has ended, with its savepoint") {
  MasterFixture job;
  job.start();
  job.tasks_run();
  const std::string target = (job.root / "kept").string();
  job.master->request_stop({{"op1", target}, false});
  REQUIRE(job.link.of<TriggerCheckpoint>().back().final);
  job.acknowledge(job.triggered());
  REQUIRE_FALSE(operation(*job.master, "op1").done);
  job.cancelled();
  REQUIRE(job.master->state() == JobState::kSuspended);
  REQUIRE(operation(*job.master, "op1").path == target);
}

TEST_CASE("A drained job is told that its input has ended, and finishes") {
  MasterFixture job;
  job.start();
  job.tasks_run();
  job.master->request_stop({{"op1", ""}, true});
  REQUIRE(job.link.of<EndInput>().size() == 1);
  REQUIRE(job.link.of<TriggerCheckpoint>().empty());
  for (const TaskId task : job.tasks) job.master->handle(TaskFinished{job.job_id(), job.attempt(), task});
  job.acknowledge(job.triggered());
  job.cancelled();
  REQUIRE(job.master->state() == JobState::kFinished);
  REQUIRE(operation(*job.master, "op1").path.ends_with("chk-" + std::to_string(job.triggered())));
}

TEST_CASE("A new job file takes over at a checkpoint and holds from its own first one on") {
  MasterFixture job;
  job.start();
  job.tasks_run();
  job.master->request_replacement(job.with_parallelism("op1", 3));
  const int64_t border = job.triggered();
  job.acknowledge(border);
  REQUIRE(job.master->state() == JobState::kRestarting);
  job.cancelled();
  job.pass_ms(0);
  REQUIRE(job.master->state() == JobState::kRunning);
  REQUIRE(job.deployed().restore_checkpoint == border);
  REQUIRE(job.deployed().spec_yaml == "name: job # 3");
  REQUIRE(job.master->view().tasks == 4);
  REQUIRE_FALSE(operation(*job.master, "op1").done);
  job.tasks = {{0, 0}, {0, 1}, {0, 2}, {1, 0}};
  job.tasks_run();
  job.pass_ms(1000);
  job.acknowledge(job.triggered());
  REQUIRE(operation(*job.master, "op1").done);
  REQUIRE_FALSE(operation(*job.master, "op1").failure.has_value());
}

TEST_CASE("A new job file that fails before its first checkpoint is taken back, whatever the restart strategy") {
  MasterFixture job;
  job.start();
  job.tasks_run();
  job.master->request_replacement(job.with_parallelism("op1", 3));
  const int64_t border = job.triggered();
  job.acknowledge(border);
  job.cancelled();
  job.pass_ms(0);
  job.fail_task("E0502");  // permanent
  job.cancelled();
  job.pass_ms(0);
  REQUIRE(job.master->state() == JobState::kRunning);
  REQUIRE(job.deployed().spec_yaml == "name: job");
  REQUIRE(job.deployed().restore_checkpoint == border);
  REQUIRE(operation(*job.master, "op1").failure->code == "E0502");
}

TEST_CASE("Another max_parallelism is refused before anything is stopped") {
  MasterFixture job;
  job.start();
  job.tasks_run();
  job.master->request_replacement(job.with_parallelism("op1", 3, 64));
  REQUIRE(operation(*job.master, "op1").failure->code == "E0401");
  REQUIRE(job.master->state() == JobState::kRunning);
  REQUIRE(job.link.of<TriggerCheckpoint>().empty());
}

TEST_CASE("A job without enough slots waits, tells why, and starts when there are some") {
  MasterFixture job;
  job.slots.available = 1;
  job.start();
  REQUIRE(job.master->state() == JobState::kCreated);
  REQUIRE(job.master->view().waiting_for == "needs 2 slots, 1 is there");
  job.slots.available = 2;
  job.master->slots_changed();
  REQUIRE(job.master->state() == JobState::kRunning);
  REQUIRE(job.master->view().waiting_for.empty());
}

TEST_CASE("A job that waits for slots can be cancelled and stopped") {
  MasterFixture job;
  job.slots.available = 0;
  job.start();
  job.master->request_cancel(false);
  REQUIRE(job.master->state() == JobState::kCanceled);
  job.start();
  job.master->request_stop({{"op1", ""}, false});
  REQUIRE(job.master->state() == JobState::kSuspended);
}

TEST_CASE("A lost task manager fails the job, and the others are waited for before it starts again") {
  MasterFixture job;
  job.slots.members = 2;
  job.start();
  REQUIRE(job.link.of<DeployJob>().size() == 2);
  REQUIRE(job.link.of<DeployJob>()[0].members.size() == 2);
  REQUIRE(job.link.of<DeployJob>()[1].member == 1);
  job.tasks_run();
  const int64_t attempt = job.attempt();
  job.master->task_manager_lost("tm0", "closed");
  REQUIRE(job.master->state() == JobState::kFailing);
  REQUIRE(job.link.of<CancelJob>().size() == 1);                         // to the one that is left
  job.master->handle(JobCancelled{job.job_id(), job.attempt()}, "tm0");  // nobody asked it
  REQUIRE(job.master->state() == JobState::kFailing);
  job.master->handle(JobCancelled{job.job_id(), job.attempt()}, "tm1");
  REQUIRE(job.master->state() == JobState::kRunning);  // at once
  REQUIRE(job.attempt() == attempt + 1);
  REQUIRE(job.master->view().failure->code == "E0511");
}

TEST_CASE("All task managers lost at once: nobody is waited for") {
  MasterFixture job;
  job.slots.members = 2;
  job.start();
  job.tasks_run();
  job.master->task_manager_lost("tm0", "closed");
  job.master->task_manager_lost("tm1", "closed");
  REQUIRE(job.master->state() == JobState::kRestarting);
}

TEST_CASE("The same failure from the same checkpoint is named as such the third time") {
  MasterFixture job;
  job.restart_attempts = 9;
  job.start();
  for (int i = 0; i < 3; ++i) {
    job.tasks_run();
    job.fail_task("E0303");
    job.cancelled();
    job.pass_ms(50);
  }
  REQUIRE(job.master->view().failure->repeated == 3);
  REQUIRE(job.master->view().failure->help.find("failure 3 in a row") != std::string::npos);
}

TEST_CASE("Cancelling waits for the output of completed checkpoints, unless told not to") {
  MasterFixture job;
  job.sink_settles();
  job.start();
  job.tasks_run();
  job.master->handle(RestoredSettled{job.job_id(), job.attempt(), job.tasks[2], "out"});
  job.pass_ms(1000);
  const int64_t completed = job.triggered();
  job.acknowledge(completed);
  job.master->request_cancel(false, false);
  REQUIRE(job.master->state() == JobState::kRunning);
  job.pass_ms(5000);
  REQUIRE(job.triggered() == completed);  // no further one
  job.master->handle(EpochSettled{job.job_id(), job.attempt(), job.tasks[2], "out", completed});
  REQUIRE(job.master->state() == JobState::kCancelling);
}

TEST_CASE("A cancellation that waits for output survives a restart: what was restored is published, then it ends") {
  MasterFixture job;
  job.sink_settles();
  job.start();
  job.tasks_run();
  job.master->handle(RestoredSettled{job.job_id(), job.attempt(), job.tasks[2], "out"});
  job.pass_ms(1000);
  job.acknowledge(job.triggered());
  job.master->request_cancel(false, false);
  job.fail_task("E0303");
  job.cancelled();
  job.pass_ms(50);
  REQUIRE(job.master->state() == JobState::kRunning);
  job.tasks_run();
  job.master->handle(RestoredSettled{job.job_id(), job.attempt(), job.tasks[2], "out"});
  REQUIRE(job.master->state() == JobState::kCancelling);
  job.cancelled();
  REQUIRE(job.master->state() == JobState::kCanceled);
}

}  // namespace millrace
