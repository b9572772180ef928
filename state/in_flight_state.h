// The states of a checkpoint that hold rows on their way between two subtasks: their names and layouts, from the plan
// alone, so that a job manager can tell which job file can take such rows over without a look at them. A layout names
// the edge, its subtasks, its columns, and which columns of the sources are read at all (others are not in the rows).
#pragma once

#include <vector>

#include "plan/physical_plan.h"
#include "state/snapshot_file.h"

namespace millrace {

/// One per edge, in the order of the plan.
std::vector<StateDescriptor> in_flight_states(const JobGraph& graph, const PhysicalPlan& plan);
bool is_in_flight_state(const StateDescriptor& state);

/// kRefusedByState when rows were in flight between other steps or subtasks than the job's.
Status check_rows_in_flight(const std::vector<SnapshotStateInfo>& states, const JobGraph& graph);

/// Rows on their way in one job can go on in the other.
bool same_channels(const JobGraph& a, const JobGraph& b);

}  // namespace millrace
