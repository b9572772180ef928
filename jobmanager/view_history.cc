#include "jobmanager/view_history.h"

#include <fmt/format.h>

#include <algorithm>

namespace millrace {

namespace {

constexpr size_t kStatesMax = 32;
constexpr size_t kFailuresMax = 16;
constexpr size_t kCheckpointsMax = 10;
constexpr size_t kOperationsMax = 32;
constexpr int64_t kTellRepeated = 3;

template <class T>
T& put_first(std::vector<T>& list, T item, size_t max) {
  list.insert(list.begin(), std::move(item));
  if (list.size() > max) list.resize(max);
  return list.front();
}

bool same_failure(const JobFailure& a, const JobFailure& b) {
  return a.step == b.step && a.code == b.code && a.message == b.message;
}

}  // namespace

JobFailure failure_of(const Error& error, int64_t now_ms) {
  JobFailure failure;
  failure.code = error.info().code;
  failure.message = error.message;
  failure.help = error.help;
  failure.at_ms = now_ms;
  return failure;
}

void note_state(JobView& view, JobState state, int64_t now_ms) {
  view.state = state;
  view.states.emplace_back(state, now_ms);
  if (view.states.size() > kStatesMax) view.states.erase(view.states.begin());
  if (is_terminal(state)) view.ended_ms = now_ms;
}

void note_failure(JobView& view, JobFailure failure) {
  int64_t repeated = 1;
  for (const JobFailure& earlier : view.failures) {
    if (!same_failure(earlier, failure) || earlier.restored_checkpoint != view.restored_checkpoint) break;
    ++repeated;
  }
  failure.restored_checkpoint = view.restored_checkpoint;
  failure.repeated = repeated;
  if (repeated >= kTellRepeated) {
    const std::string from = view.restored_checkpoint == 0 ? std::string("the beginning")
                                                           : fmt::format("checkpoint {}", view.restored_checkpoint);
    failure.help += fmt::format(
        "{}this is failure {} in a row after a start from {}: the same input fails each time, restarting does not help",
        failure.help.empty() ? "" : "; ", repeated, from);
  }
  view.failure = failure;
  put_first(view.failures, std::move(failure), kFailuresMax);
}

CheckpointView& note_checkpoint_started(JobView& view, int64_t id, int64_t now_ms, bool savepoint) {
  CheckpointView checkpoint;
  checkpoint.id = id;
  checkpoint.savepoint = savepoint;
  checkpoint.triggered_ms = now_ms;
  checkpoint.tasks = view.tasks;
  return put_first(view.recent_checkpoints, std::move(checkpoint), kCheckpointsMax);
}

CheckpointView* find_checkpoint(JobView& view, int64_t id) {
  const auto found = std::find_if(view.recent_checkpoints.begin(), view.recent_checkpoints.end(),
                                  [&](const CheckpointView& checkpoint) { return checkpoint.id == id; });
  return found == view.recent_checkpoints.end() ? nullptr : &*found;
}

OperationView& note_operation(JobView& view, const std::string& trigger_id, OperationKind kind) {
  OperationView operation;
  operation.trigger_id = trigger_id;
  operation.kind = kind;
  return put_first(view.operations, std::move(operation), kOperationsMax);
}

OperationView* find_operation(JobView& view, const std::string& trigger_id) {
  const auto found = std::find_if(view.operations.begin(), view.operations.end(),
                                  [&](const OperationView& operation) { return operation.trigger_id == trigger_id; });
  return found == view.operations.end() ? nullptr : &*found;
}

void operation_done(JobView& view, const std::string& trigger_id, std::string path) {
  OperationView* operation = find_operation(view, trigger_id);
  if (operation == nullptr || operation->done) return;
  operation->done = true;
  operation->path = std::move(path);
}

void operation_failed(JobView& view, const std::string& trigger_id, JobFailure failure) {
  OperationView* operation = find_operation(view, trigger_id);
  if (operation == nullptr || operation->done) return;
  operation->done = true;
  operation->failure = std::move(failure);
}

}  // namespace millrace
