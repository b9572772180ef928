// The generated part of docs/job-file.md: a table per part of the job file, from the field registry.
#pragma once

#include <string>

#include "plan/registry.h"

namespace millrace {

std::string job_file_reference(const PlanRegistry& registry);

}  // namespace millrace
