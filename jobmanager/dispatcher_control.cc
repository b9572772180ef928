// The JobControl half of Dispatcher: what REST and the command line ask for.
#include <fmt/format.h>

#include <algorithm>

#include "jobmanager/dispatcher.h"
#include "jobmanager/view_history.h"

namespace millrace {

namespace {

constexpr size_t kAskedMax = 64;
constexpr uint32_t kParallelismMax = 32'768;
constexpr uint32_t kTapRowsMax = 1'000;
constexpr size_t kTapsMax = 16;
constexpr int64_t kTapMs = 60'000;

bool is_hex_id(const std::string& text) {
  return text.size() == 32 && text.find_first_not_of("0123456789abcdef") == std::string::npos;
}

std::unexpected<Error> unknown_job(const std::string& job_id) {
  return make_error(ErrorCode::kNotFound, "no job `" + job_id + "`", "`millrace list` shows the jobs");
}

}  // namespace

Result<SubmitAnswer> Dispatcher::submit(PlannedJob job, SubmitOptions options) {
  const std::lock_guard submitting(submit_mutex_);
  const std::string name = job.graph.name;
  {
    const std::lock_guard lock(mutex_);
    for (const auto& [id, other] : running_) {
      if (other.entry.name != name) continue;
      if (other.entry.spec == job.resolved_yaml) return SubmitAnswer{id, true};
      return make_error(ErrorCode::kRefusedByState, "a job named `" + name + "` runs already, from another file",
                        "`millrace upgrade " + name + " FILE` replaces it; another `name` starts a second job");
    }
  }
  CatalogueEntry entry;
  entry.name = name;
  entry.submitted_ms = config_.clock->wall_ms();
  entry.options = std::move(options);
  const std::string spec = job.resolved_yaml;
  MR_TRY(start_job(std::move(job), std::move(entry)));
  const std::lock_guard lock(mutex_);
  for (const auto& [id, started] : running_) {
    if (started.entry.name == name) return SubmitAnswer{id, false};
  }
  // It ended while we looked.
  for (const Ended& ended : ended_) {
    if (ended.view.name == name) return SubmitAnswer{ended.view.job_id, false};
  }
  return make_error(ErrorCode::kInternal, "the job `" + name + "` was started and is gone");
}

/// Its thread's, or what is known before that has opened the job.
JobView Dispatcher::view_of(const Running& job) {
  JobView view = job.thread->view();
  if (!view.job_id.empty()) return view;
  view.job_id = job.entry.job_id;
  view.name = job.entry.name;
  view.directory = job.entry.directory;
  view.started_ms = job.entry.submitted_ms;
  return view;
}

std::vector<JobView> Dispatcher::jobs() const {
  const std::lock_guard lock(mutex_);
  std::vector<JobView> views;
  for (const auto& [id, job] : running_) views.push_back(view_of(job));
  std::sort(views.begin(), views.end(), [](const JobView& a, const JobView& b) { return a.started_ms > b.started_ms; });
  for (const Ended& ended : ended_) {
    // One that came back under its id is shown once.
    if (!running_.contains(ended.view.job_id)) views.push_back(ended.view);
  }
  return views;
}

std::optional<JobView> Dispatcher::job(const std::string& id_or_name) const {
  const std::lock_guard lock(mutex_);
  for (const auto& [id, job] : running_) {
    if (id == id_or_name || job.entry.name == id_or_name) return view_of(job);
  }
  for (const Ended& ended : ended_) {
    if (ended.view.job_id == id_or_name || ended.view.name == id_or_name) return ended.view;
  }
  return std::nullopt;
}

std::shared_ptr<const JobGraph> Dispatcher::graph(const std::string& job_id) const {
  const std::lock_guard lock(mutex_);
  if (const auto found = running_.find(job_id); found != running_.end()) return found->second.thread->graph();
  for (const Ended& ended : ended_) {
    if (ended.view.job_id == job_id) return ended.graph;
  }
  return nullptr;
}

std::string Dispatcher::spec(const std::string& job_id) const {
  const std::lock_guard lock(mutex_);
  if (const auto found = running_.find(job_id); found != running_.end()) return found->second.entry.spec;
  for (const Ended& ended : ended_) {
    if (ended.view.job_id == job_id) return ended.spec;
  }
  return {};
}

Result<std::shared_ptr<JobThread>> Dispatcher::running(const std::string& job_id) const {
  if (auto thread = thread_of(job_id)) {
    if (!is_terminal(thread->view().state)) return thread;
  }
  const std::optional<JobView> view = job(job_id);
  if (!view) return unknown_job(job_id);
  return make_error(ErrorCode::kRefusedByState,
                    "the job `" + view->name + "` has ended: it is " + std::string(job_state_name(view->state)));
}

std::string Dispatcher::trigger(const std::string& job_id, const std::string& wished, OperationKind kind,
                                bool& existed) {
  std::string id = wished.empty() ? JobId::generate(*config_.random).to_string() : wished;
  const std::lock_guard lock(mutex_);
  existed = false;
  const auto found = running_.find(job_id);
  if (found == running_.end()) return id;
  auto& asked = found->second.asked;
  existed = std::any_of(asked.begin(), asked.end(), [&](const auto& one) { return one.first == id; });
  if (!existed) asked.emplace_back(id, kind);
  if (asked.size() > kAskedMax) asked.pop_front();
  return id;
}

std::string Dispatcher::savepoint_target(const JobView& view, const std::string& directory) const {
  std::string parent = directory.starts_with("file://") ? directory.substr(7) : directory;
  if (parent.empty()) parent = join_path(view.directory, "savepoints");
  return join_path(parent, fmt::format("savepoint-{}-{}", view.job_id.substr(0, 6),
                                       JobId::generate(*config_.random).to_string().substr(0, 12)));
}

Status Dispatcher::cancel(const std::string& job_id, bool now) {
  MR_ASSIGN(const auto thread, running(job_id));
  thread->request_cancel(false, now);
  return {};
}

namespace {

Status check_trigger_id(const std::string& id) {
  if (id.empty() || is_hex_id(id)) return {};
  return make_error(ErrorCode::kBadValue, "the trigger id `" + id + "` is not 32 hexadecimal digits");
}

}  // namespace

Result<std::string> Dispatcher::stop(const std::string& job_id, const StopRequest& request) {
  MR_TRY(check_trigger_id(request.trigger_id));
  MR_ASSIGN(const auto thread, running(job_id));
  bool existed = false;
  std::string id = trigger(job_id, request.trigger_id, OperationKind::kStop, existed);
  if (existed) return id;
  const std::string target = request.savepoint ? savepoint_target(thread->view(), request.directory) : "";
  thread->request_stop({{id, target}, request.drain});
  return id;
}

Result<std::string> Dispatcher::savepoint(const std::string& job_id, const SavepointRequest& request) {
  MR_TRY(check_trigger_id(request.trigger_id));
  MR_ASSIGN(const auto thread, running(job_id));
  bool existed = false;
  std::string id = trigger(job_id, request.trigger_id, OperationKind::kSavepoint, existed);
  if (!existed) thread->request_savepoint({id, savepoint_target(thread->view(), request.directory)});
  return id;
}

Result<std::string> Dispatcher::checkpoint(const std::string& job_id) {
  MR_ASSIGN(const auto thread, running(job_id));
  bool existed = false;
  std::string id = trigger(job_id, "", OperationKind::kCheckpoint, existed);
  thread->request_checkpoint(id);
  return id;
}

Result<std::string> Dispatcher::rescale(const std::string& job_id, uint32_t parallelism) {
  if (parallelism == 0 || parallelism > kParallelismMax) {
    return make_error(ErrorCode::kBadValue, fmt::format("the parallelism must be from 1 to {}", kParallelismMax));
  }
  SpecOverrides overrides;
  overrides.environment = config_.environment;
  overrides.settings = {{"settings.parallelism", std::to_string(parallelism)}};
  PlannedJob planned = plan_job(spec(job_id), overrides, *config_.registry);
  if (!planned.ok) {
    MR_TRY(running(job_id));
    std::string message = fmt::format("the job does not plan with parallelism {}", parallelism);
    for (const Diagnostic& diagnostic : planned.diagnostics.all()) {
      if (diagnostic.severity == Severity::kError) message += ": " + diagnostic.message;
    }
    return make_error(ErrorCode::kBadPlan, std::move(message));
  }
  return replace(job_id, std::move(planned), OperationKind::kRescale, false);
}

Result<std::string> Dispatcher::upgrade(const std::string& job_id, PlannedJob job, bool allow_dropped_state) {
  MR_ASSIGN(const auto thread, running(job_id));
  if (job.graph.name != thread->view().name) {
    return make_error(
        ErrorCode::kRefusedByState,
        "the file names the job `" + job.graph.name + "`, the running one is `" + thread->view().name + "`",
        "an upgrade keeps the name; `millrace submit` starts another job");
  }
  return replace(job_id, std::move(job), OperationKind::kUpgrade, allow_dropped_state);
}

Result<std::string> Dispatcher::replace(const std::string& job_id, PlannedJob job, OperationKind kind,
                                        bool allow_dropped_state) {
  MR_ASSIGN(const auto thread, running(job_id));
  bool existed = false;
  ReplaceOrder order;
  order.trigger_id = trigger(job_id, "", kind, existed);
  order.kind = kind;
  order.graph = std::make_shared<const JobGraph>(std::move(job.graph));
  order.spec_yaml = std::move(job.resolved_yaml);
  order.allow_dropped_state = allow_dropped_state;
  std::string id = order.trigger_id;
  thread->request_replacement(std::move(order));
  return id;
}

Result<CheckpointChanges> Dispatcher::change_checkpoint_settings(const std::string& job_id,
                                                                 const CheckpointChanges& changes) {
  MR_ASSIGN(const auto thread, running(job_id));
  return thread->change_checkpoint_settings(changes);
}

std::optional<OperationView> Dispatcher::operation(const std::string& job_id, const std::string& trigger_id) const {
  std::optional<JobView> view = job(job_id);
  if (!view) return std::nullopt;
  if (const OperationView* seen = find_operation(*view, trigger_id)) return *seen;
  const std::lock_guard lock(mutex_);
  const auto found = running_.find(view->job_id);
  if (found == running_.end()) return std::nullopt;
  const auto& all = found->second.asked;
  const auto asked = std::find_if(all.begin(), all.end(), [&](const auto& one) { return one.first == trigger_id; });
  if (asked == all.end()) return std::nullopt;
  OperationView waiting;
  waiting.trigger_id = trigger_id;
  waiting.kind = asked->second;
  return waiting;
}

Result<std::string> Dispatcher::tap(const std::string& job_id, const std::string& step, uint32_t rows) {
  MR_ASSIGN(const auto thread, running(job_id));
  if (rows == 0 || rows > kTapRowsMax) {
    return make_error(ErrorCode::kBadValue, fmt::format("the number of rows must be from 1 to {}", kTapRowsMax));
  }
  const auto graph = thread->graph();
  const Node* node = graph ? graph->find(step) : nullptr;
  if (node == nullptr || node->outputs.empty()) {
    return make_error(ErrorCode::kNotFound, "the job has no step `" + step + "` that emits rows",
                      node == nullptr ? "" : "tap the step that the sink reads");
  }
  std::string id = JobId::generate(*config_.random).to_string();
  {
    const std::lock_guard lock(mutex_);
    taps_.push_front({id, {}});
    if (taps_.size() > kTapsMax) taps_.pop_back();
  }
  thread->request_tap(id, step, rows, kTapMs);
  return id;
}

Result<std::vector<std::string>> Dispatcher::tapped(const std::string& tap_id) const {
  const std::lock_guard lock(mutex_);
  const auto tap = std::find_if(taps_.begin(), taps_.end(), [&](const Tapped& one) { return one.id == tap_id; });
  if (tap == taps_.end()) return make_error(ErrorCode::kNotFound, "no tap `" + tap_id + "`", "the last few are kept");
  return tap->rows;
}

std::vector<MetricSample> Dispatcher::samples(const std::string& job_id) const {
  std::vector<MetricSample> samples = task_managers_.samples(job_id);
  for (MetricSample& own : config_.metrics->collect()) {
    if (label_of(own.labels, "job_id") == job_id) samples.push_back(std::move(own));
  }
  return samples;
}

std::vector<MetricSample> Dispatcher::own_samples() const {
  std::vector<MetricSample> samples = config_.metrics->collect();
  task_managers_.collect(samples);
  return samples;
}

}  // namespace millrace
