#include "jobmanager/job_state.h"

#include <catch2/catch.hpp>

#include "jobmanager/restart_policy.h"

namespace millrace {

TEST_CASE("A job that has ended stays ended") {
  for (const JobState end : {JobState::kFinished, JobState::kSuspended, JobState::kCanceled, JobState::kFailed}) {
    REQUIRE(is_terminal(end));
    for (int to = 0; to <= static_cast<int>(JobState::kFailed); ++to) {
      REQUIRE_FALSE(may_change(end, static_cast<JobState>(to)));
    }
  }
  REQUIRE_FALSE(is_terminal(JobState::kRestarting));
  REQUIRE(may_change(JobState::kRestarting, JobState::kRunning));
  REQUIRE_FALSE(may_change(JobState::kFailing, JobState::kRunning));
}

TEST_CASE("Every state has a name") {
  REQUIRE(job_state_name(JobState::kCreated) == "CREATED");
  REQUIRE(job_state_name(JobState::kFailed) == "FAILED");
}

TEST_CASE("The fixed strategy gives up after its attempts") {
  SeededRandom random(1);
  RestartPolicy policy({.strategy = RestartSettings::Strategy::kFixed, .attempts = 2, .delay_ms = 70}, random);
  REQUIRE(policy.on_failure(0) == 70);
  REQUIRE(policy.on_failure(1) == 70);
  REQUIRE(policy.on_failure(2) == std::nullopt);
}

TEST_CASE("The failure rate counts only failures within its period") {
  SeededRandom random(1);
  RestartPolicy policy(
      {.strategy = RestartSettings::Strategy::kFailureRate, .delay_ms = 5, .rate_max = 2, .rate_per_ms = 1000}, random);
  REQUIRE(policy.on_failure(0) == 5);
  REQUIRE(policy.on_failure(900) == 5);
  REQUIRE(policy.on_failure(1500) == 5);  // the first is out of the period
  REQUIRE(policy.on_failure(1600) == std::nullopt);
}

TEST_CASE("The exponential delay grows to its maximum and starts anew after a calm time") {
  SeededRandom random(1);
  RestartPolicy policy({.strategy = RestartSettings::Strategy::kExponential,
                        .initial_ms = 100,
                        .max_ms = 350,
                        .multiplier = 2,
                        .jitter = 0,
                        .reset_after_ms = 10'000},
                       random);
  REQUIRE(policy.on_failure(0) == 100);
  REQUIRE(policy.on_failure(200) == 200);
  REQUIRE(policy.on_failure(500) == 350);
  REQUIRE(policy.on_failure(900) == 350);
  REQUIRE(policy.on_failure(20'000) == 100);
}

}  // namespace millrace
