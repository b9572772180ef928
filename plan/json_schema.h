// The job file's JSON Schema (draft 2020-12) from the field registry, for editors and REST. Pure function; any thread.
#pragma once

#include <string>

#include "plan/registry.h"

namespace millrace {

std::string job_json_schema(const PlanRegistry& registry);

}  // namespace millrace
