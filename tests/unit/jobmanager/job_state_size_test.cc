#include <catch2/catch.hpp>

#include "core/log.h"
#include "tests/unit/jobmanager/master_fixture.h"

namespace millrace {

namespace {

void limit_state(MasterFixture& job, OnStateLimit on_limit) {
  auto changed = std::make_shared<JobGraph>(*job.graph);
  changed->settings.state = {.limit_bytes = 1000, .on_limit = on_limit};
  job.graph = changed;
  job.restart_attempts = 5;
  job.start();
  job.tasks_run();
}

void take_checkpoint(MasterFixture& job, uint64_t bytes_per_task) {
  job.master->request_checkpoint();
  const int64_t id = job.triggered();
  for (const TaskId task : job.tasks) {
    job.master->handle(SnapshotTaken{job.job_id(), job.attempt(), id, {task, "", bytes_per_task, 0, {}}, false});
  }
}

}  // namespace

TEST_CASE("A job whose state is beyond its limit fails for good, and keeps the checkpoint that showed it") {
  set_log_level(LogLevel::kOff);
  MasterFixture job;
  limit_state(job, OnStateLimit::kFail);
  take_checkpoint(job, 300);
  REQUIRE(job.master->state() == JobState::kRunning);
  REQUIRE(job.master->view().state_size.bytes == 900);
  job.pass_ms(1000);
  take_checkpoint(job, 400);
  job.cancelled();
  REQUIRE(job.master->state() == JobState::kFailed);
  REQUIRE(job.master->view().failure->message.find("larger than settings.state.limit: 1.2 kB") != std::string::npos);
  REQUIRE(job.master->view().checkpoints_completed == 2);
}

TEST_CASE("With `on_limit: alert` the job goes on and shows that the limit is exceeded") {
  set_log_level(LogLevel::kOff);
  MasterFixture job;
  limit_state(job, OnStateLimit::kAlert);
  take_checkpoint(job, 400);
  REQUIRE(job.master->state() == JobState::kRunning);
  REQUIRE(job.master->view().state_size.reached_in_ms == 0);
}

TEST_CASE("With `on_limit: backpressure` sources pause beyond the limit, in the next attempt too, and go on below it") {
  set_log_level(LogLevel::kOff);
  MasterFixture job;
  limit_state(job, OnStateLimit::kBackpressure);
  take_checkpoint(job, 300);
  REQUIRE(job.link.of<HoldSources>().empty());
  job.pass_ms(1000);
  take_checkpoint(job, 400);
  REQUIRE(job.master->state() == JobState::kRunning);
  REQUIRE(job.link.of<HoldSources>().back().hold);
  job.pass_ms(1000);
  take_checkpoint(job, 400);
  REQUIRE(job.link.of<HoldSources>().size() == 1);  // said once
  job.fail_task("E0511");
  job.cancelled();
  job.pass_ms(100);
  REQUIRE(job.link.of<HoldSources>().size() == 2);
  REQUIRE(job.link.of<HoldSources>().back().attempt == job.attempt());
  job.tasks_run();
  job.pass_ms(1000);
  take_checkpoint(job, 200);
  REQUIRE_FALSE(job.link.of<HoldSources>().back().hold);
  REQUIRE_FALSE(job.master->view().sources_held);
}

}  // namespace millrace
