// How far the sinks that publish epochs have come, over all their subtasks. Filled by the job's event loop; the
// coordinator's back-pressure and the end of the job depend on it.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>

#include "plan/job_graph.h"
#include "state/protocol/task_snapshot.h"

namespace millrace {

class SinkProgress {
 public:
  SinkProgress() = default;
  /// Expects every subtask of every sink of the graph that settles epochs.
  explicit SinkProgress(const JobGraph& graph);

  [[nodiscard]] bool empty() const { return subtasks_.empty(); }
  /// True when this was the last one.
  bool restored_settled(TaskId task, const std::string& sink);
  /// Answers the epoch up to which all of them are settled.
  int64_t epoch_settled(TaskId task, const std::string& sink, int64_t epoch);

 private:
  struct Subtask {
    bool restored = false;
    int64_t epoch = 0;
  };
  std::map<std::pair<std::string, uint32_t>, Subtask> subtasks_;
  size_t unrestored_ = 0;
};

}  // namespace millrace
