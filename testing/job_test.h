// Runs one entry of a job file's `tests:` block: the real tasks of the job, stepped by hand in virtual time, with feeds
// in place of the sources and captures in place of the sinks. Control entries checkpoint, crash, restore and rescale
// it. With a chaos seed the same test is disturbed between rows and must still give the same answer.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "plan/planner.h"
#include "runtime/spi/factories.h"

namespace millrace {

struct TestResult {
  std::string name;
  bool passed = false;
  std::string details;  // why it failed, lines of text
  double seconds = 0;
  uint32_t disturbances = 0;  // what chaos did
  /// Rows per expected name, for `--update`.
  std::vector<std::pair<std::string, std::vector<std::string>>> rows;
};

/// REQUIRES: the job was planned with keep_all_columns.
TestResult run_job_test(const PlannedJob& job, const SpecTest& test, const Registry& registry,
                        std::optional<uint64_t> chaos_seed);

}  // namespace millrace
