// What /state asks of a checkpoint. Reading rows needs the aggregate functions, which the job manager does not know:
// the process that wires both hands a reader over (cli/state_reader.h).
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "core/status.h"

namespace millrace {

struct StateQuery {
  std::string path;  // a checkpoint, a savepoint, or a job's directory: its newest checkpoint
  std::string step;  // empty with an empty name: the list of states
  std::string name;
  std::optional<std::map<std::string, std::string>> key;  // column -> value; "" names the only column
  uint64_t limit = 100;
  bool count_keys = false;  // reads every row of states whose rows are not their keys
};

inline constexpr uint64_t kStateRowsMax = 10'000;

}  // namespace millrace
