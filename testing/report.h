// Results of tests as JUnit XML, and as new `expect:` blocks for `--update`.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "plan/planner.h"
#include "testing/job_test.h"

namespace millrace {

std::string junit_report(std::string_view suite, const std::vector<TestResult>& results);

/// The file's text with the `expect:` rows of failed tests replaced by the rows that came. Comments inside replaced
/// blocks are lost; everything else stays as it is.
std::string update_expectations(std::string_view yaml, const std::vector<SpecTest>& tests,
                                const std::vector<TestResult>& results);

}  // namespace millrace
