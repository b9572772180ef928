// The arguments of `millrace run`.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/status.h"
#include "jobmanager/submit_options.h"
#include "plan/planner.h"

namespace millrace {

struct RunOptions : SubmitOptions {
  std::string file;
  SpecOverrides overrides;
  bool insecure = false;
  int64_t limit = -1;  // rows of print sinks; -1: all
  int64_t stop_timeout_ms = 30'000;
  std::string listen = "127.0.0.1:8081";
  bool listen_given = false;
  uint64_t memory_bytes = 0;    // for state, buffers and caches; 0: half of the machine's
  std::string checkpoint_root;  // not an option of the command line: where the demo keeps its state
};

/// kBadValue with what is wrong and the usage as help.
Result<RunOptions> parse_run_options(const std::vector<std::string>& args);

/// "30s", "500ms", "2m"; a plain number is refused, as in the job file.
Result<int64_t> parse_duration_argument(const std::string& text);

}  // namespace millrace
