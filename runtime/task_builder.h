// Makes the parts of one task from the plan: factories of the registry, contexts, metrics and labels of its steps.
#pragma once

#include <memory>
#include <string>

#include "plan/physical_plan.h"
#include "runtime/deployment.h"
#include "runtime/task.h"

namespace millrace {

struct TaskBuild {
  const DeploymentConfig& config;
  const PhysicalPlan& plan;
  TaskId id;
  Waker& waker;
};

/// Source (or an empty gate), stages and contexts; outputs are connected by the caller.
Result<TaskParts> build_task(const TaskBuild& build);

}  // namespace millrace
