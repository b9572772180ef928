#include "runtime/task.h"

#include <algorithm>

namespace millrace {

namespace {
constexpr size_t kOverflowBytes = 4 << 20;  // that may wait before the outputs so that a barrier gets through
}

Task::Task(TaskParts parts, Clock& clock, std::unique_ptr<TaskEvents> events)
    : parts_(std::move(parts)), clock_(clock), events_(std::move(events)), driver_(parts_.outputs, clock) {
  for (const Stage& stage : parts_.stages) nodes_.push_back(stage.node);
}

Status Task::open() {
  for (size_t i = 0; i < parts_.stages.size(); ++i) {
    Stage& stage = parts_.stages[i];
    TaskParts::StageContext& context = parts_.contexts[i];
    Status opened;
    if (stage.op) opened = stage.op->open(context.op);
    if (stage.sink) opened = stage.sink->open(context.sink);
    if (!opened) return std::unexpected(std::move(opened).error().with_context("step `" + stage.step + "`"));
    driver_.add(std::move(stage));
  }
  parts_.stages.clear();
  if (parts_.store) MR_TRY(parts_.store->registered());
  if (parts_.source) MR_TRY(parts_.source->open(parts_.restored));
  MR_TRY(restore_in_flight());
  events_->running();
  return {};
}

Status Task::restore_in_flight() {
  if (!parts_.gate || parts_.restored == nullptr) return {};
  for (const uint32_t edge : parts_.in_edges) {
    MR_ASSIGN(auto rows,
              restored_in_flight(*parts_.restored, edge, parts_.edges.at(edge), parts_.id.subtask, parts_.parallelism));
    parts_.gate->restore(std::move(rows));
  }
  return {};
}

TaskStep Task::step(int64_t deadline_ns) {
  if (failed_) return {};
  const int64_t begin_ns = clock_.monotonic_ns();
  if (!opened_) {
    opened_ = true;
    if (Status status = open(); !status) {
      fail(status.error());
      return {};
    }
  }
  Result<TaskStep> stepped = try_step(deadline_ns, clock_.wall_ms());
  if (!stepped) {
    fail(stepped.error());
    return {};
  }
  finish_snapshot();
  account(*stepped, begin_ns);
  return *stepped;
}

Result<TaskStep> Task::try_step(int64_t deadline_ns, int64_t now_ms) {
  TaskStep result;
  parts_.outputs.flush_due(now_ms);
  const uint64_t calls = driver_.calls();
  const uint64_t sent = parts_.outputs.sent();
  while (true) {
    const bool overtaking = overtakes();
    MR_ASSIGN(const Flow flow, driver_.resume(deadline_ns, overtaking ? kOverflowBytes : 0));
    result.progressed = result.progressed || driver_.calls() != calls || parts_.outputs.sent() != sent;
    if (flow == Flow::kBlocked) {
      if (parts_.source) parts_.source->blocked(now_ms);
      result.blocked = true;
      return result;
    }
    if (flow == Flow::kMoreOutput) return result;
    if (overtaking) {
      MR_TRY(overtake_now());
      result.progressed = true;
      continue;
    }
    if (driver_.next_timer_ms() <= now_ms && !stopped_) {
      driver_.push_timers(now_ms);
      continue;
    }
    if (result.progressed && clock_.monotonic_ns() >= deadline_ns) return result;
    if (parts_.store) {
      MR_TRY(parts_.store->balance());
      // Not while a snapshot waits for rows in flight: those come with the steps of this task.
      if (!open_snapshot_ && parts_.store->must_wait()) {
        result.blocked = true;
        return result;
      }
    }
    MR_ASSIGN(const bool pulled, pull(now_ms));
    if (!pulled) return result;
    result.progressed = true;
  }
}

Result<bool> Task::pull(int64_t now_ms) {
  if (deferred_) {
    MR_TRY(settle());
    return true;
  }
  if (!triggers_.empty()) {
    defer(ElementKind::kBarrier, triggers_.front().id, triggers_.front().final);
    triggers_.pop_front();
    return true;
  }
  if (stopped_) return false;
  return parts_.source ? pull_source(now_ms) : pull_gate();
}

Result<bool> Task::pull_source(int64_t now_ms) {
  SourceTask& source = *parts_.source;
  MR_ASSIGN(const SourceEvent event, source.next(now_ms, driver_.source_output()));
  switch (event) {
    case SourceEvent::kNothing:
      return false;
    case SourceEvent::kProgress:
      return true;
    case SourceEvent::kWatermark:
      driver_.push_watermark(source.watermark());
      return true;
    case SourceEvent::kIdle:
    case SourceEvent::kActive:
      defer(event == SourceEvent::kIdle ? ElementKind::kIdle : ElementKind::kActive, 0, false);
      return true;
    case SourceEvent::kEnd:
      end();
      return true;
  }
  return false;
}

Result<bool> Task::pull_gate() {
  if (!parts_.gate->next(event_)) {
    if (alignment_began_ns_ == 0 && parts_.gate->aligning()) alignment_began_ns_ = clock_.monotonic_ns();
    return false;
  }
  switch (event_.kind) {
    case ElementKind::kBatch:
      driver_.push_batch(event_.input, std::move(event_.batch));
      break;
    case ElementKind::kWatermark:
      driver_.push_watermark(event_.value);
      break;
    case ElementKind::kBarrier:
    case ElementKind::kIdle:
    case ElementKind::kActive:
      defer(event_.kind, event_.value, event_.final);
      break;
    case ElementKind::kEnd:
      end();
      break;
  }
  return true;
}

void Task::defer(ElementKind kind, int64_t value, bool final) { deferred_ = {kind, value, final}; }

Status Task::settle() {
  if (driver_.push_release()) return {};
  const Deferred settled = *deferred_;
  deferred_.reset();
  if (settled.kind == ElementKind::kBarrier) return barrier(settled.value, settled.final);
  driver_.broadcast(settled.kind, 0);
  return {};
}

Status Task::barrier(int64_t checkpoint_id, bool final) {
  if (alignment_began_ns_ != 0) {
    const auto aligned_ns = static_cast<double>(clock_.monotonic_ns() - alignment_began_ns_);
    if (parts_.metrics.alignment_seconds) parts_.metrics.alignment_seconds->set(aligned_ns / 1e9);
    alignment_began_ns_ = 0;
  }
  OpenSnapshot& taken = open_snapshot_.emplace();
  taken.checkpoint_id = checkpoint_id;
  taken.finished = ended_;
  MR_ASSIGN(taken.parts, driver_.snapshot(checkpoint_id));
  if (parts_.source) taken.parts.push_back(parts_.source->snapshot(checkpoint_id));
  if (parts_.store) {
    MR_ASSIGN(SnapshotPartPtr files, parts_.store->snapshot());
    if (files) taken.parts.push_back(std::move(files));
  }
  if (parts_.gate) parts_.gate->begin_snapshot(checkpoint_id);
  driver_.broadcast(ElementKind::kBarrier, checkpoint_id, final);
  taken_ = std::max(taken_, checkpoint_id);
  if (final) {
    final_checkpoint_ = checkpoint_id;
    stopped_ = true;
  }
  finish_snapshot();
  return {};
}

bool Task::overtakes() const {
  if (overtake_ <= taken_ || stopped_) return false;
  // What is deferred waits only until rows that operators hold back are sent.
  return deferred_ || parts_.source || parts_.gate->may_overtake(overtake_);
}

Status Task::overtake_now() {
  if (deferred_) return settle();
  while (!triggers_.empty() && triggers_.front().id <= overtake_) triggers_.pop_front();
  defer(ElementKind::kBarrier, overtake_, false);
  return {};
}

void Task::finish_snapshot() {
  if (!open_snapshot_) return;
  OpenSnapshot& taken = *open_snapshot_;
  if (overtake_ >= taken.checkpoint_id) parts_.outputs.overtake(taken.checkpoint_id, taken.rows);
  if (parts_.gate && !parts_.gate->record()) return;
  if (!parts_.outputs.drain() && parts_.outputs.holds_barrier(taken.checkpoint_id)) return;
  std::vector<ChannelRows> rows = std::move(taken.rows);
  if (parts_.gate) std::ranges::move(parts_.gate->take_recorded(), std::back_inserter(rows));
  if (!rows.empty()) taken.parts.push_back(in_flight_part(std::move(rows), parts_.edges));
  events_->snapshot_taken(taken.checkpoint_id, taken.finished, std::move(taken.parts));
  open_snapshot_.reset();
}

void Task::end() {
  driver_.broadcast(ElementKind::kEnd, 0);
  ended_ = true;
  events_->finished();
}

void Task::fail(const Error& error) {
  failed_ = true;
  events_->failed(driver_.failed_step(), error);
}

void Task::trigger_checkpoint(int64_t checkpoint_id, bool final) {
  if (parts_.source && !failed_) triggers_.push_back({checkpoint_id, final});
}

void Task::checkpoint_completed(int64_t checkpoint_id) {
  if (failed_ || !opened_) return;
  if (parts_.source) parts_.source->checkpoint_completed(checkpoint_id);
  Status status = driver_.checkpoint_completed(checkpoint_id);
  if (status && checkpoint_id == final_checkpoint_) status = driver_.close();
  if (!status) fail(status.error());
}

void Task::add_tap(const TapPtr& tap) {
  if (std::find(nodes_.begin(), nodes_.end(), tap->node()) != nodes_.end()) driver_.add_tap(tap);
}

void Task::end_input() {
  if (parts_.source) parts_.source->end_input();
}

void Task::hold_source(bool hold) {
  if (parts_.source) parts_.source->hold(hold);
}

int64_t Task::next_wakeup_ms() const {
  if (failed_ || !opened_) return INT64_MAX;
  int64_t next = parts_.outputs.next_flush_ms();
  // A blocked task is woken by room in its outputs or by its operator; its own times count again then.
  if (was_blocked_) next = std::min(next, driver_.retry_at_ms());
  if (stopped_ || was_blocked_) return next;
  next = std::min(next, driver_.next_timer_ms());
  if (parts_.source) next = std::min(next, parts_.source->next_wakeup_ms());
  return next;
}

void Task::account(const TaskStep& step, int64_t begin_ns) {
  const int64_t end_ns = clock_.monotonic_ns();
  const TaskMetrics& metrics = parts_.metrics;
  if (last_step_ns_ != 0) {
    const MetricPtr& waited = was_blocked_ ? metrics.blocked_seconds : metrics.idle_seconds;
    if (waited) waited->add(static_cast<double>(begin_ns - last_step_ns_) / 1e9);
  }
  const MetricPtr& spent = step.progressed ? metrics.busy_seconds : metrics.idle_seconds;
  if (spent) spent->add(static_cast<double>(end_ns - begin_ns) / 1e9);
  if (metrics.queue_usage) {
    metrics.queue_usage->set(parts_.gate ? parts_.gate->usage() : parts_.outputs.usage());
  }
  was_blocked_ = step.blocked;
  last_step_ns_ = end_ns;
}

}  // namespace millrace
