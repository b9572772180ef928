// Flink's API: checkpoints of a job, their statistics and settings.
#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>
#include <numeric>

#include "jobmanager/rest/flink_model.h"
#include "jobmanager/rest/responses.h"
#include "jobmanager/rest/routes.h"

namespace millrace {

namespace {

const char* checkpoint_type(const CheckpointView& one) {
  if (one.savepoint) return "SAVEPOINT";
  return one.unaligned ? "UNALIGNED_CHECKPOINT" : "CHECKPOINT";
}

using CheckpointJson = nlohmann::ordered_json;

HttpResponse checkpoint_answer(const CheckpointJson& body) {
  return {200, "application/json", body.dump(-1, ' ', false, CheckpointJson::error_handler_t::replace)};
}

/// {min, max, avg, p50, …}: quantiles of the checkpoints that are still known.
CheckpointJson statistics(std::vector<int64_t> values) {
  std::ranges::sort(values);
  const auto at = [&](double quantile) -> double {
    if (values.empty()) return 0;
    const auto index = static_cast<size_t>(quantile * static_cast<double>(values.size() - 1) + 0.5);
    return static_cast<double>(values[index]);
  };
  const int64_t sum = std::accumulate(values.begin(), values.end(), int64_t{0});
  return {{"min", values.empty() ? 0 : values.front()},
          {"max", values.empty() ? 0 : values.back()},
          {"avg", values.empty() ? 0 : sum / static_cast<int64_t>(values.size())},
          {"p50", at(0.5)},
          {"p90", at(0.9)},
          {"p95", at(0.95)},
          {"p99", at(0.99)},
          {"p999", at(0.999)}};
}

CheckpointJson summary_json(const JobView& view) {
  std::vector<int64_t> bytes;
  std::vector<int64_t> written;
  std::vector<int64_t> durations;
  for (const CheckpointView& one : view.recent_checkpoints) {
    if (one.status != CheckpointStatus::kCompleted) continue;
    bytes.push_back(static_cast<int64_t>(one.bytes));
    written.push_back(static_cast<int64_t>(one.written));
    durations.push_back(one.ended_ms - one.triggered_ms);
  }
  const CheckpointJson none = statistics({});
  return {{"checkpointed_size", statistics(written)},
          {"state_size", statistics(bytes)},
          {"end_to_end_duration", statistics(durations)},
          {"alignment_buffered", none},
          {"processed_data", none},
          {"persisted_data", none}};
}

CheckpointJson one_checkpoint(const CheckpointView& one) {
  constexpr std::string_view kClass[] = {"in_progress", "completed", "failed"};
  constexpr std::string_view kStatus[] = {"IN_PROGRESS", "COMPLETED", "FAILED"};
  const auto status = static_cast<size_t>(one.status);
  const int64_t ended = one.ended_ms > 0 ? one.ended_ms : -1;
  CheckpointJson out{{"className", kClass[status]},
                     {"id", one.id},
                     {"status", kStatus[status]},
                     {"is_savepoint", one.savepoint},
                     {"savepointFormat", one.savepoint ? CheckpointJson("CANONICAL") : CheckpointJson(nullptr)},
                     {"trigger_timestamp", one.triggered_ms},
                     {"latest_ack_timestamp", ended},
                     {"checkpointed_size", one.written},
                     {"state_size", one.bytes},
                     {"end_to_end_duration", std::max<int64_t>(0, ended - one.triggered_ms)},
                     {"alignment_buffered", 0},
                     {"processed_data", 0},
                     {"persisted_data", 0},
                     {"num_subtasks", one.tasks},
                     {"num_acknowledged_subtasks", one.acknowledged},
                     {"checkpoint_type", checkpoint_type(one)},
                     {"tasks", CheckpointJson::object()}};
  if (one.status == CheckpointStatus::kCompleted) {
    out["external_path"] = one.path;
    out["discarded"] = false;
  }
  if (one.status == CheckpointStatus::kFailed) {
    out["failure_timestamp"] = one.ended_ms;
    out["failure_message"] = one.failure;
  }
  return out;
}

CheckpointJson latest_json(const JobView& view) {
  const auto newest = [&](auto wanted) {
    const auto found = std::ranges::find_if(view.recent_checkpoints, wanted);
    return found == view.recent_checkpoints.end() ? CheckpointJson(nullptr) : one_checkpoint(*found);
  };
  const auto completed = [](bool savepoint) {
    return [savepoint](const CheckpointView& one) {
      return one.status == CheckpointStatus::kCompleted && one.savepoint == savepoint;
    };
  };
  CheckpointJson latest{
      {"completed", newest(completed(false))},
      {"savepoint", newest(completed(true))},
      {"failed", newest([](const CheckpointView& one) { return one.status == CheckpointStatus::kFailed; })},
      {"restored", nullptr}};
  if (view.restored_checkpoint > 0) {
    latest["restored"] = {{"id", view.restored_checkpoint},
                          {"restore_timestamp", view.started_ms},
                          {"is_savepoint", false},
                          {"external_path", nullptr}};
  }
  return latest;
}

HttpResponse checkpoints(const RestCall& call) {
  const auto view = flink_view(call);
  if (!view) return view.error();
  int64_t in_progress = 0;
  CheckpointJson history = CheckpointJson::array();
  for (const CheckpointView& one : view->recent_checkpoints) {
    in_progress += one.status == CheckpointStatus::kInProgress ? 1 : 0;
    history.push_back(one_checkpoint(one));
  }
  return checkpoint_answer({{"counts",
                             {{"restored", view->restored_checkpoint > 0 ? 1 : 0},
                              {"total", view->checkpoints_completed + view->checkpoints_failed + in_progress},
                              {"in_progress", in_progress},
                              {"completed", view->checkpoints_completed},
                              {"failed", view->checkpoints_failed}}},
                            {"summary", summary_json(*view)},
                            {"latest", latest_json(*view)},
                            {"history", history}});
}

HttpResponse checkpoint_config(const RestCall& call) {
  const auto job = flink_job(call);
  if (!job) return job.error();
  CheckpointSettings settings = job->graph->settings.checkpoint;
  if (const auto now = changed_checkpoint_settings(settings, job->view.checkpoint_settings); now) settings = *now;
  return checkpoint_answer({{"mode", settings.exactly_once ? "exactly_once" : "at_least_once"},
                            {"interval", settings.interval_ms},
                            {"timeout", settings.timeout_ms},
                            {"min_pause", settings.min_pause_ms},
                            {"max_concurrent", 1},
                            {"externalization", {{"enabled", true}, {"delete_on_cancellation", false}}},
                            {"state_backend", "millrace"},
                            {"checkpoint_storage", "FileSystemCheckpointStorage"},
                            {"unaligned_checkpoints", settings.unaligned_after_ms >= 0},
                            {"tolerable_failed_checkpoints", settings.tolerable_failures},
                            {"aligned_checkpoint_timeout", std::max<int64_t>(0, settings.unaligned_after_ms)},
                            {"checkpoints_after_tasks_finish", true},
                            {"state_changelog_enabled", false},
                            {"changelog_storage", nullptr},
                            {"changelog_periodic_materialization_interval", 0}});
}

HttpResponse checkpoint_details(const RestCall& call) {
  const auto view = flink_view(call);
  if (!view) return view.error();
  const std::string text = call.segment("checkpoint");
  int64_t id = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), id);
  if (error != std::errc() || end != text.data() + text.size()) {
    return rest_error(400, "Cannot resolve path parameter (checkpointid) from value \"" + text + "\".");
  }
  for (const CheckpointView& one : view->recent_checkpoints) {
    if (one.id == id) return checkpoint_answer(one_checkpoint(one));
  }
  return rest_error(404, "Could not find checkpointing statistics for checkpoint " + text + ".");
}

}  // namespace

std::vector<Route> flink_checkpoint_routes(const std::string& prefix) {
  const std::string job = prefix + "/jobs/:job/checkpoints";
  return {
      {"GET", job, "Flink: checkpoint statistics", checkpoints},
      {"GET", job + "/config", "Flink: checkpoint settings", checkpoint_config},
      {"GET", job + "/details/:checkpoint", "Flink: one checkpoint", checkpoint_details},
  };
}

}  // namespace millrace
