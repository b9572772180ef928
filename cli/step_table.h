// The steps of a running job as a table, from /api/v1/jobs/<id>/steps; `millrace status` and `millrace top` show it.
#pragma once

#include <string>

#include "cli/result_output.h"

namespace millrace {

TableRows step_table(const std::string& steps_json);

}  // namespace millrace
