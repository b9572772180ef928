#include "runtime/source_task.h"

#include <algorithm>
#include <cmath>

#include "core/bytes.h"
#include "runtime/dead_letters.h"

namespace millrace {

namespace {

constexpr int64_t kHeldRetryMs = 20;

StateDescriptor splits_state(const SourceTaskConfig& config) {
  return {.step = config.step,
          .name = "splits",
          .kind = StateKind::kSplit,
          .layout = state_layout(splits_schema(config.source->connector))};
}

constexpr int64_t kReportEveryMs = 500;
constexpr size_t kReportedSplitsMax = 256;  // a directory may hold very many files

void count(const MetricPtr& metric, double by) {
  if (metric && by != 0) metric->add(by);
}

}  // namespace

SourceTask::SourceTask(SourceTaskConfig config, SourceReaderPtr reader, DecoderPtr decoder, SourceMetrics metrics)
    : config_(std::move(config)),
      reader_(std::move(reader)),
      metrics_(std::move(metrics)),
      maker_(config_.source, config_.schema, std::move(decoder)),
      watermarks_(config_.source->event_time.out_of_orderness_ms, config_.source->event_time.idle_timeout_ms),
      has_watermarks_(config_.source->event_time.column >= 0),
      rate_(config_.source->rate_limit / std::max(1U, config_.context.parallelism)) {}

Status SourceTask::load(const RestoredState& restored) {
  return restored.visit(splits_state(config_), {}, config_.context.subtask, config_.context.parallelism,
                        [&](uint32_t, std::string_view key, std::string_view value) -> Status {
                          ByteReader in(value);
                          SplitWatermarks::Saved saved;
                          saved.max_timestamp = in.get<int64_t>();
                          saved.watermark = in.get<int64_t>();
                          std::string state(in.get_string());
                          if (!in.done()) {
                            return make_error(ErrorCode::kCorruptState,
                                              "position of split `" + std::string(key) + "` cannot be read");
                          }
                          restored_.emplace(std::string(key), saved);
                          config_.context.splits.push_back({std::string(key), std::move(state)});
                          return {};
                        });
}

Status SourceTask::open(const RestoredState* restored) {
  if (restored != nullptr) {
    MR_TRY(load(*restored));
    config_.context.restored = true;
  }
  MR_TRY(maker_.open());
  MR_TRY(reader_->open(config_.context));
  add_new_splits();
  return {};
}

void SourceTask::add_new_splits() {
  while (watermarks_.size() < reader_->split_count()) {
    const uint32_t split = watermarks_.size();
    const auto saved = restored_.find(reader_->split_id(split));
    watermarks_.add(saved == restored_.end() ? SplitWatermarks::Saved{} : saved->second, active_ms_);
    if (reader_->split_finished(split)) watermarks_.finish(split);
    if (saved != restored_.end()) reader_->split_progress(split, saved->second.max_timestamp);
  }
}

void SourceTask::account(int64_t now_ms, bool blocked) {
  if (last_seen_ms_ >= 0 && !was_blocked_ && now_ms > last_seen_ms_) active_ms_ += now_ms - last_seen_ms_;
  last_seen_ms_ = now_ms;
  was_blocked_ = blocked;
}

Result<SourceEvent> SourceTask::next(int64_t now_ms, Output& out) {
  account(now_ms, false);
  report_splits(now_ms);
  if (ended_) return SourceEvent::kNothing;
  if (reader_ended_) {
    if (idle_) {
      idle_ = false;
      return SourceEvent::kActive;
    }
    if (announced_ != kWatermarkMax) {
      announced_ = kWatermarkMax;
      return SourceEvent::kWatermark;
    }
    ended_ = true;
    return SourceEvent::kEnd;
  }
  if (last_emit_ms_ == INT64_MIN) {
    last_emit_ms_ = now_ms;
    rows_since_watermark_ = false;
    // The restored watermark goes out before the first row.
    if (has_watermarks_ && watermarks_.combined() > announced_) {
      announced_ = watermarks_.combined();
      return SourceEvent::kWatermark;
    }
  }
  if (has_watermarks_) {
    // Also while other splits are busy, but not for every batch of them.
    if (active_ms_ >= watermarks_.next_idle_ms() && active_ms_ != looked_at_ms_) look_for_idle();
    const bool idle = all_idle();
    if (idle_ && !idle) {
      idle_ = false;
      return SourceEvent::kActive;
    }
    if (watermark_due(now_ms)) return SourceEvent::kWatermark;
    if (idle && !idle_) {
      idle_ = true;
      return SourceEvent::kIdle;
    }
  }
  return poll(now_ms, out);
}

void SourceTask::report_splits(int64_t now_ms) {
  if (config_.context.metrics == nullptr || !has_watermarks_) return;
  if (reported_ms_ != INT64_MIN && now_ms - reported_ms_ < kReportEveryMs) return;
  reported_ms_ = now_ms;
  for (uint32_t split = 0; split < watermarks_.size(); ++split) {
    const auto known = split_gauges_.find(split);
    if (reader_->split_finished(split)) {
      if (known != split_gauges_.end()) split_gauges_.erase(known);
      continue;
    }
    if (known == split_gauges_.end() && split_gauges_.size() >= kReportedSplitsMax) continue;
    SplitGauges& gauges = split_gauges_[split];
    if (!gauges.watermark) {
      Labels labels = config_.context.labels;
      labels.emplace_back("split", reader_->split_id(split));
      const auto gauge = [&](const char* name, const char* help) {
        return config_.context.metrics->metric(MetricKind::kGauge, name, help, labels);
      };
      gauges.watermark =
          gauge("millrace_source_split_watermark_timestamp_seconds", "A split's watermark; 0: none yet.");
      gauges.idle = gauge("millrace_source_split_idle", "1: the split does not hold the watermark.");
      gauges.at_end = gauge("millrace_source_split_at_end", "1: the split has delivered all that exists.");
    }
    const int64_t watermark = watermarks_.watermark(split);
    gauges.watermark->set(watermark == kWatermarkMin ? 0 : static_cast<double>(watermark) / 1000.0);
    gauges.idle->set(watermarks_.idle(split) ? 1 : 0);
    gauges.at_end->set(reader_->split_at_end(split) ? 1 : 0);
  }
}

bool SourceTask::watermark_due(int64_t now_ms) {
  if (!rows_since_watermark_) return false;
  const EventTimeConfig& config = config_.source->event_time;
  if (config.emit == WatermarkEmit::kInterval && now_ms - last_emit_ms_ < config.emit_interval_ms) return false;
  rows_since_watermark_ = false;
  last_emit_ms_ = now_ms;
  const int64_t watermark = watermarks_.combined();
  if (watermark <= announced_) return false;
  announced_ = watermark;
  return true;
}

uint32_t SourceTask::rows_allowed(int64_t now_ms) {
  uint32_t rows = config_.batch_rows;
  if (config_.source->event_time.emit == WatermarkEmit::kRecord) rows = 1;
  if (rate_ <= 0) return rows;
  const double burst = std::max(1.0, rate_ / 10);
  if (tokens_at_ms_ < 0) {
    tokens_ = 1;
  } else {
    tokens_ = std::min(burst, tokens_ + rate_ * static_cast<double>(now_ms - tokens_at_ms_) / 1000.0);
  }
  tokens_at_ms_ = now_ms;
  return static_cast<uint32_t>(std::min<double>(rows, std::floor(tokens_)));
}

/// Whether all splits are too far ahead of the slowest one of all sources with `max_drift`.
bool SourceTask::held_by_others(int64_t now_ms) {
  if (!config_.alignment) return false;
  int64_t own = kWatermarkMin;
  if (reader_ended_) {
    own = INT64_MAX;
  } else if (reader_->splits_known()) {
    own = watermarks_.slowest([this](uint32_t split) { return reader_->split_at_end(split); });
  }
  config_.alignment->report(config_.alignment_member, own);
  int64_t limit = 0;
  if (__builtin_add_overflow(config_.alignment->slowest(), config_.source->event_time.max_drift_ms, &limit)) {
    limit = INT64_MAX;
  }
  const bool reader_holds = reader_->hold_above(limit);
  bool all = false;
  const uint32_t held = watermarks_.above(limit, all);
  look_again_ms_ = held > 0 ? now_ms + kHeldRetryMs : INT64_MAX;
  if (metrics_.held_splits) metrics_.held_splits->set(held);
  return held > 0 && all && !reader_holds;
}

Result<SourceEvent> SourceTask::poll(int64_t now_ms, Output& out) {
  const uint32_t allowed = rows_allowed(now_ms);
  if (allowed == 0 || held_ || held_by_others(now_ms)) return SourceEvent::kNothing;
  MR_ASSIGN(const PollResult polled, reader_->poll(allowed, chunk_));
  add_new_splits();
  switch (polled) {
    case PollResult::kEnd:
      reader_ended_ = true;
      held_by_others(now_ms);
      return SourceEvent::kProgress;
    case PollResult::kWatermark:
      watermarks_.advance(chunk_.split, chunk_.watermark);
      rows_since_watermark_ = true;
      return SourceEvent::kProgress;
    case PollResult::kNothing: {
      look_for_idle();
      const bool changed = has_watermarks_ && all_idle() != idle_;
      return changed || watermark_due(now_ms) ? next(now_ms, out) : SourceEvent::kNothing;
    }
    case PollResult::kData:
      break;
  }
  MR_TRY(emit(chunk_, now_ms, out));
  return SourceEvent::kProgress;
}

void SourceTask::look_for_idle() {
  looked_at_ms_ = active_ms_;
  const int64_t before = watermarks_.combined();
  for (uint32_t split = 0; split < watermarks_.size(); ++split) {
    if (reader_->split_finished(split)) watermarks_.finish(split);
    watermarks_.look_for_idle(split, reader_->split_at_end(split), active_ms_);
  }
  // A split that stopped counting may let the watermark rise.
  if (watermarks_.combined() > before) rows_since_watermark_ = true;
}

Status SourceTask::emit(SourceChunk& chunk, int64_t now_ms, Output& out) {
  MR_TRY(maker_.make(chunk, now_ms, rows_));
  if (rate_ > 0) tokens_ -= rows_.records;
  count(metrics_.records, rows_.records);
  count(metrics_.bytes, static_cast<double>(rows_.bytes));
  count(metrics_.skipped, rows_.skipped);
  watermarks_.rows(chunk.split, rows_.max_timestamp, active_ms_);
  if (reader_->split_finished(chunk.split)) watermarks_.finish(chunk.split);
  reader_->split_progress(chunk.split, watermarks_.max_timestamp(chunk.split));
  rows_since_watermark_ = true;
  if (!rows_.bad.empty()) MR_TRY(handle_bad(std::get_if<RecordBatch>(&chunk.payload), now_ms, out));
  if (!rows_.ahead.empty()) {
    count(metrics_.ahead, rows_.ahead.selected());
    if (config_.ahead_port >= 0) out.emit(static_cast<uint32_t>(config_.ahead_port), std::move(rows_.ahead));
  }
  if (!rows_.batch.empty()) out.emit(0, std::move(rows_.batch));
  if (auto* records = std::get_if<RecordBatch>(&chunk.payload)) records->clear();
  return {};
}

Status SourceTask::handle_bad(const RecordBatch* records, int64_t now_ms, Output& out) {
  const auto number = static_cast<double>(rows_.bad.size());
  count(metrics_.bad, number);
  switch (config_.source->format.bad_record) {
    case OnError::kFail:
      return make_error(rows_.bad.front().code, describe_bad_record(records, rows_.bad.front()),
                        "set `bad_record: skip` or `dead_letter` on the format to go on without such records");
    case OnError::kSkip:
      return {};
    case OnError::kDeadLetter:
      break;
  }
  count(metrics_.dead_letters, number);
  if (config_.dead_letter_port >= 0) {
    out.emit(static_cast<uint32_t>(config_.dead_letter_port),
             make_source_dead_letters(config_.step, records, rows_.bad, now_ms));
  }
  return {};
}

int64_t SourceTask::next_wakeup_ms() const {
  if (ended_) return INT64_MAX;
  int64_t next = std::min(reader_->next_poll_ms(), look_again_ms_);
  const EventTimeConfig& config = config_.source->event_time;
  if (has_watermarks_ && rows_since_watermark_ && config.emit == WatermarkEmit::kInterval) {
    next = std::min(next, last_emit_ms_ + config.emit_interval_ms);
  }
  if (const int64_t idle = watermarks_.next_idle_ms(); has_watermarks_ && idle != INT64_MAX) {
    // A split that is not at its end yet is looked at again when the reader wakes the task.
    const int64_t due = last_seen_ms_ + std::max<int64_t>(1, idle - active_ms_);
    if (idle > active_ms_) next = std::min(next, due);
  }
  if (rate_ > 0 && tokens_ < 1) {
    next = std::min(next, tokens_at_ms_ + static_cast<int64_t>(std::ceil((1 - tokens_) * 1000.0 / rate_)));
  }
  return next;
}

SnapshotPartPtr SourceTask::snapshot(int64_t checkpoint_id) {
  auto part = std::make_unique<RowsSnapshot>(splits_state(config_));
  std::vector<SplitState> states;
  for (uint32_t split = 0; split < reader_->split_count(); ++split) {
    const SplitWatermarks::Saved saved = watermarks_.saved(split);
    states.push_back({reader_->split_id(split), reader_->split_state(split)});
    ByteWriter value;
    value.put(saved.max_timestamp);
    value.put(saved.watermark);
    value.put_string(states.back().state);
    part->add(0, states.back().split, value.take());
  }
  at_barrier_[checkpoint_id] = std::move(states);
  return part;
}

void SourceTask::checkpoint_completed(int64_t checkpoint_id) {
  const auto found = at_barrier_.find(checkpoint_id);
  if (found != at_barrier_.end()) reader_->checkpoint_completed(checkpoint_id, found->second);
  at_barrier_.erase(at_barrier_.begin(), at_barrier_.upper_bound(checkpoint_id));
}

}  // namespace millrace
