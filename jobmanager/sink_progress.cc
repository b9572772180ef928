#include "jobmanager/sink_progress.h"

#include <algorithm>

namespace millrace {

SinkProgress::SinkProgress(const JobGraph& graph) {
  for (const Node& node : graph.nodes) {
    if (!node.sink || !node.sink->settles_epochs()) continue;
    for (uint32_t i = 0; i < node.parallelism; ++i) subtasks_[{node.id, i}] = {};
  }
  unrestored_ = subtasks_.size();
}

bool SinkProgress::restored_settled(TaskId task, const std::string& sink) {
  const auto found = subtasks_.find({sink, task.subtask});
  if (found == subtasks_.end() || found->second.restored) return false;
  found->second.restored = true;
  return --unrestored_ == 0;
}

int64_t SinkProgress::epoch_settled(TaskId task, const std::string& sink, int64_t epoch) {
  if (const auto found = subtasks_.find({sink, task.subtask}); found != subtasks_.end()) {
    found->second.epoch = std::max(found->second.epoch, epoch);
  }
  int64_t all = INT64_MAX;
  for (const auto& [name, subtask] : subtasks_) all = std::min(all, subtask.epoch);
  return subtasks_.empty() ? 0 : all;
}

}  // namespace millrace
