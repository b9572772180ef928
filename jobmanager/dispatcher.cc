#include "jobmanager/dispatcher.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/log.h"
#include "jobmanager/view_history.h"

namespace millrace {

namespace {

JobState ended_state(JobStatus status) {
  switch (status) {
    case JobStatus::kFinished:
      return JobState::kFinished;
    case JobStatus::kCanceled:
      return JobState::kCanceled;
    case JobStatus::kFailed:
      return JobState::kFailed;
    case JobStatus::kSuspended:
      return JobState::kSuspended;
    case JobStatus::kRunning:
      break;
  }
  return JobState::kRunning;
}

JobView ended_view(const CatalogueEntry& entry) {
  JobView view;
  view.job_id = entry.job_id;
  view.name = entry.name;
  view.directory = entry.directory;
  view.started_ms = entry.submitted_ms;
  note_state(view, entry.state, entry.ended_ms);
  return view;
}

}  // namespace

Dispatcher::Dispatcher(DispatcherConfig config)
    : config_(std::move(config)), task_managers_([this] { slots_changed(); }) {}

Result<std::unique_ptr<Dispatcher>> Dispatcher::open(DispatcherConfig config) {
  std::unique_ptr<Dispatcher> dispatcher(new Dispatcher(std::move(config)));
  MR_TRY(dispatcher->recover());
  return dispatcher;
}

Status Dispatcher::recover() {
  MR_TRY(config_.fs->create_directories(config_.data_dir));
  MR_TRY(config_.fs->create_directories(config_.checkpoint_root));
  MR_ASSIGN(lock_, DirectoryLock::acquire(config_.data_dir, false));
  MR_ASSIGN(catalogue_, Catalogue::open(*config_.fs, join_path(config_.data_dir, "jobs")));
  MR_ASSIGN(std::vector<CatalogueEntry> entries, catalogue_->load());
  clear_thread_ = std::thread([this] { clear_loop(); });
  for (CatalogueEntry& entry : entries) recover_job(std::move(entry));
  return {};
}

void Dispatcher::recover_job(CatalogueEntry entry) {
  if (!entry.ended) {
    auto record = read_job_record(*config_.fs, entry.directory);
    if (!record) return remember_broken(entry, record.error());
    const bool same = *record && (*record)->job_id.to_string() == entry.job_id;
    if (same && (*record)->status == JobStatus::kRunning) {
      if (!(*record)->spec.empty()) entry.spec = (*record)->spec;
      SpecOverrides overrides;
      overrides.environment = config_.environment;
      PlannedJob planned = plan_job(entry.spec, overrides, *config_.registry);
      if (!planned.ok) {
        return remember_broken(entry, {ErrorCode::kBadPlan, "its file does not plan any more", "see `validate`"});
      }
      const CatalogueEntry kept = entry;
      if (Status started = start_job(std::move(planned), std::move(entry)); !started) {
        remember_broken(kept, started.error());
      }
      return;
    }
    // It ended, and the job manager with it before that was noted here.
    entry.ended = true;
    entry.state = same ? ended_state((*record)->status) : JobState::kFailed;
    entry.ended_ms = config_.clock->wall_ms();
    if (Status saved = catalogue_->save(entry); !saved) {
      log_warn("the catalogue was not written", {{"error", saved.error().to_string()}});
    }
  }
  remember({ended_view(entry), nullptr, entry.spec});
}

/// Not started, and not forgotten: the next start of the job manager tries again.
void Dispatcher::remember_broken(const CatalogueEntry& entry, const Error& error) {
  log_error("a job does not come back", {{"job", entry.name}, {"error", error.to_string()}});
  CatalogueEntry failed = entry;
  failed.state = JobState::kFailed;
  failed.ended_ms = config_.clock->wall_ms();
  JobView view = ended_view(failed);
  note_failure(view, failure_of(error, failed.ended_ms));
  remember({std::move(view), nullptr, entry.spec});
}

void Dispatcher::remember(Ended ended) {
  const std::lock_guard lock(mutex_);
  ended_.push_front(std::move(ended));
  while (ended_.size() > config_.ended_max) {
    (void)catalogue_->remove(ended_.back().view.job_id);
    ended_.pop_back();
  }
}

Dispatcher::~Dispatcher() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  clear_wake_.notify_one();
  if (clear_thread_.joinable()) clear_thread_.join();
  std::map<std::string, Running> jobs;
  {
    const std::lock_guard lock(mutex_);
    jobs.swap(running_);
  }
  for (const auto& [id, job] : jobs) job.thread->stop();
}

Status Dispatcher::start_job(PlannedJob planned, CatalogueEntry entry) {
  JobMasterConfig job;
  job.graph = std::make_shared<const JobGraph>(std::move(planned.graph));
  job.spec_yaml = std::move(planned.resolved_yaml);
  const std::string own_root = job.graph->settings.checkpoint.directory;
  job.checkpoint_root = own_root.empty() ? config_.checkpoint_root : own_root;
  job.options = entry.options;
  job.clock = config_.clock;
  job.fs = config_.fs;
  job.random = config_.random;
  job.metrics = config_.metrics;
  job.slots = &task_managers_;
  entry.spec = job.spec_yaml;
  const bool is_new = entry.job_id.empty();
  job.brought_back = !is_new;
  // Filled before the job is deployed: its messages must find its thread.
  auto thread = std::make_shared<std::shared_ptr<JobThread>>();
  auto id = std::make_shared<std::string>();
  job.plan = [this](const std::string& spec) { return plan_again(spec, *config_.registry, config_.environment); };
  job.on_new_spec = [this, id](const std::string& spec) { new_spec(*id, spec); };
  job.on_opened = [this, thread, id, entry](const JobView& view) mutable -> Status {
    *id = view.job_id;
    entry.job_id = view.job_id;
    entry.directory = view.directory;
    MR_TRY(catalogue_->save(entry));
    const std::lock_guard lock(mutex_);
    running_[view.job_id] = Running{entry, *thread, {}};
    return {};
  };
  *thread = std::make_shared<JobThread>(std::move(job), [this, id] {
    const std::lock_guard lock(mutex_);
    to_clear_.push_back(*id);
    clear_wake_.notify_one();
  });
  Status started = (*thread)->start();
  if (!started && !id->empty()) {
    const std::lock_guard lock(mutex_);
    running_.erase(*id);
    if (is_new) (void)catalogue_->remove(*id);
  }
  thread->reset();  // on_opened holds it, and the thread holds on_opened
  return started;
}

void Dispatcher::clear_loop() {
  std::unique_lock lock(mutex_);
  while (true) {
    clear_wake_.wait(lock, [this] { return stopping_ || !to_clear_.empty(); });
    if (stopping_) return;
    const std::string job_id = std::move(to_clear_.front());
    to_clear_.pop_front();
    lock.unlock();
    clear(job_id);
    lock.lock();
  }
}

void Dispatcher::clear(const std::string& job_id) {
  Running job;
  {
    const std::lock_guard lock(mutex_);
    const auto found = running_.find(job_id);
    if (found == running_.end()) return;
    job = found->second;
  }
  JobView view = job.thread->view();
  job.entry.ended = true;
  job.entry.state = view.state;
  job.entry.ended_ms = view.ended_ms;
  if (Status saved = catalogue_->save(job.entry); !saved) {
    log_warn("the catalogue was not written", {{"error", saved.error().to_string()}});
  }
  // The graph goes with the thread: of a hundred ended jobs only what can be shown of them is kept.
  remember({std::move(view), job.thread->graph(), job.entry.spec});
  {
    const std::lock_guard lock(mutex_);
    running_.erase(job_id);
  }
  job.thread->stop();
}

void Dispatcher::new_spec(const std::string& job_id, const std::string& spec) {
  const std::lock_guard lock(mutex_);
  const auto found = running_.find(job_id);
  if (found != running_.end()) found->second.entry.spec = spec;
}

void Dispatcher::slots_changed() {
  const std::lock_guard lock(mutex_);
  for (const auto& [id, job] : running_) {
    if (job.thread) job.thread->slots_changed();
  }
}

void Dispatcher::received(const std::string& task_manager, ToJobManager message) {
  if (auto* rows = std::get_if<TapRows>(&message)) {
    const std::lock_guard lock(mutex_);
    const auto tap =
        std::find_if(taps_.begin(), taps_.end(), [&](const Tapped& one) { return one.id == rows->tap_id; });
    if (tap != taps_.end()) std::move(rows->rows.begin(), rows->rows.end(), std::back_inserter(tap->rows));
    return;
  }
  const std::string job_id = std::visit([](const auto& m) { return m.job_id; }, message);
  if (const auto thread = thread_of(job_id)) thread->post(std::move(message), task_manager);
}

void Dispatcher::task_manager_lost(const std::string& task_manager, const std::string& reason) {
  for (const std::string& job_id : task_managers_.remove(task_manager)) {
    if (const auto thread = thread_of(job_id)) thread->task_manager_lost(task_manager, reason);
  }
}

std::shared_ptr<JobThread> Dispatcher::thread_of(const std::string& job_id) const {
  const std::lock_guard lock(mutex_);
  const auto found = running_.find(job_id);
  return found == running_.end() ? nullptr : found->second.thread;
}

}  // namespace millrace
