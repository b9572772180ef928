// Reads named state out of a checkpoint, a savepoint or a job's directory: which states there are, the rows of one, the
// row of one key, what differs between two. Never writes, never talks to a job. Behind `millrace state` and /state.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "jobmanager/rest/state_query.h"
#include "plan/expr/function_registry.h"
#include "state/checkpoint_plan.h"

namespace millrace {

/// JSON: {"checkpoint", "path", "completed_at", "states": [..]} or {.., "step", "state", "rows": [..], "more": bool}.
/// kNotFound names what the checkpoint has instead.
Result<std::string> read_state(const StateQuery& query, const FunctionRegistry& functions);

/// Called with each row as a JSON object, in no order; false ends the reading. All states that fit `step` and `name`
/// (empty: any).
using StateRowShow = std::function<bool(const StateDescriptor& state, const std::string& row)>;
Status scan_state(const OpenedCheckpoint& checkpoint, const StateQuery& query, const FunctionRegistry& functions,
                  const StateRowShow& show);

struct StateDifference {
  std::string step;
  std::string name;
  uint64_t added = 0;
  uint64_t removed = 0;
  uint64_t changed = 0;
};
/// Rows that `before` and `after` do not share; up to query.limit of them are shown, as
/// {"change": "added|removed|changed", "step", "state", "before", "after"}.
Result<std::vector<StateDifference>> diff_state(const OpenedCheckpoint& before, const OpenedCheckpoint& after,
                                                const StateQuery& query, const FunctionRegistry& functions,
                                                const std::function<void(const std::string& line)>& show);

}  // namespace millrace
