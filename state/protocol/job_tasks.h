// The subtasks of a job and the slots they need, from its plan: the same numbers in every process.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "plan/physical_plan.h"
#include "state/protocol/task_snapshot.h"

namespace millrace {

/// In order of chains.
inline std::vector<TaskId> tasks_of(const PhysicalPlan& plan) {
  std::vector<TaskId> tasks;
  for (uint32_t chain = 0; chain < plan.chains.size(); ++chain) {
    for (uint32_t subtask = 0; subtask < plan.chains[chain].parallelism; ++subtask) tasks.push_back({chain, subtask});
  }
  return tasks;
}

/// Subtask i of every chain shares slot i.
inline uint32_t slots_needed(const std::vector<TaskId>& tasks) {
  uint32_t slots = 1;
  for (const TaskId& task : tasks) slots = std::max(slots, task.subtask + 1);
  return slots;
}

}  // namespace millrace
