#include "cli/schema.h"

#include <cstdio>

#include "cli/job_file.h"
#include "cli/usage.h"
#include "plan/json_schema.h"
#include "plan/reference_page.h"

namespace millrace {

int command_schema(const std::vector<std::string>& args, const Registry& registry) {
  const auto arguments = parse_arguments(args, {{"--reference"}, {}, 0, 0});
  if (!arguments) return usage_error("schema", arguments.error(), kSchemaUsage);
  const bool reference = arguments->flag("--reference");
  std::fputs((reference ? job_file_reference(registry.plan) : job_json_schema(registry.plan)).c_str(), stdout);
  return 0;
}

}  // namespace millrace
