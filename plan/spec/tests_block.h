// `tests:` of the job file: names, ids and shapes are checked here; rows are read by the test runner.
#pragma once

#include "plan/spec/spec_context.h"

namespace millrace {

std::vector<SpecTest> read_tests(SpecContext& context, const Located* tests);

}  // namespace millrace
