#include "jobmanager/job_metrics.h"

#include <array>
#include <limits>

#include "core/status.h"

namespace millrace {

namespace {
void add_one(const MetricPtr& metric) {
  if (metric) metric->add(1);
}
void set_to(const MetricPtr& metric, double value) {
  if (metric) metric->set(value);
}
}  // namespace

void JobMetrics::open(MetricRegistry* registry, const std::string& job_id, const std::string& job_name) {
  if (registry == nullptr) return;
  registry_ = registry;
  labels_ = {{"job_id", job_id}, {"job_name", job_name}};
  const auto series = [&](MetricKind kind, const char* name, const char* help, const char* label = nullptr,
                          std::string value = {}) {
    Labels labels{{"job_id", job_id}, {"job_name", job_name}};
    if (label != nullptr) labels.emplace_back(label, std::move(value));
    return registry->metric(kind, name, help, std::move(labels));
  };
  for (size_t i = 0; i < std::size(states_); ++i) {
    states_[i] = series(MetricKind::kGauge, "millrace_job_state", "1 for the state that the job is in.", "state",
                        std::string(job_state_name(static_cast<JobState>(i))));
  }
  const char* total = "millrace_checkpoints_total";
  completed_ = series(MetricKind::kCounter, total, "Checkpoints by result.", "result", "completed");
  failed_ = series(MetricKind::kCounter, total, "Checkpoints by result.", "result", "failed");
  duration_ = series(MetricKind::kGauge, "millrace_checkpoint_duration_seconds", "Duration of the last checkpoint.");
  bytes_ = series(MetricKind::kGauge, "millrace_checkpoint_size_bytes", "Size of the last checkpoint.");
  written_ = series(MetricKind::kGauge, "millrace_checkpoint_written_bytes",
                    "Bytes of the last checkpoint that storage did not hold before.");
  last_completed_ = series(MetricKind::kGauge, "millrace_checkpoint_last_completed_timestamp_seconds",
                           "When the last checkpoint completed.");
  constexpr std::array<const char*, kRestartCauses> kCauses{
      "task_failure", "task_manager_lost", "connection_lost", "checkpoint_failure",
      "storage",      "job_manager_lost",  "rollback"};
  for (size_t i = 0; i < kRestartCauses; ++i) {
    restarts_[i] =
        series(MetricKind::kCounter, "millrace_job_restarts_total", "Restarts by cause.", "cause", kCauses[i]);
  }
}

void JobMetrics::state(JobState state) {
  for (size_t i = 0; i < std::size(states_); ++i) set_to(states_[i], static_cast<size_t>(state) == i ? 1 : 0);
}

void JobMetrics::checkpoint_completed(int64_t duration_ms, uint64_t bytes, uint64_t written, int64_t now_ms) {
  add_one(completed_);
  set_to(duration_, static_cast<double>(duration_ms) / 1000.0);
  set_to(bytes_, static_cast<double>(bytes));
  set_to(written_, static_cast<double>(written));
  set_to(last_completed_, static_cast<double>(now_ms) / 1000.0);
}

void JobMetrics::state_size(const StateForecast& forecast) {
  if (registry_ == nullptr) return;
  const auto gauge = [this](MetricPtr& metric, const char* name, const char* help, double value) {
    if (!metric) metric = registry_->metric(MetricKind::kGauge, name, help, labels_);
    metric->set(value);
  };
  gauge(growth_, "millrace_job_state_growth_bytes_per_second", "Growth of the state over the last checkpoints.",
        forecast.bytes_per_second);
  if (forecast.limit_bytes <= 0) return;
  gauge(limit_, "millrace_job_state_limit_bytes", "settings.state.limit.", static_cast<double>(forecast.limit_bytes));
  gauge(limit_reached_, "millrace_job_state_limit_reached_seconds",
        "When the state reaches its limit at its growth; +Inf: not in sight.",
        forecast.reached_in_ms < 0 ? std::numeric_limits<double>::infinity()
                                   : static_cast<double>(forecast.reached_in_ms) / 1000.0);
}

void JobMetrics::state_size(const StateSizeView& state) {
  if (registry_ == nullptr) return;
  StateSeries& series = states_sizes_[{state.step, state.name}];
  if (!series.bytes) {
    Labels labels = labels_;
    labels.emplace_back("step", state.step);
    labels.emplace_back("state", state.name);
    const auto gauge = [&](const char* name, const char* help) {
      return registry_->metric(MetricKind::kGauge, name, help, labels);
    };
    series.bytes = gauge("millrace_state_bytes", "Bytes of the state's rows in the last measured checkpoint.");
    series.keys = gauge("millrace_state_keys", "Rows of the state in the last measured checkpoint.");
    series.growth = gauge("millrace_state_growth_bytes_per_second", "Growth of the state between measurements.");
  }
  series.bytes->set(static_cast<double>(state.bytes));
  series.keys->set(static_cast<double>(state.rows));
  series.growth->set(state.bytes_per_second);
}

void JobMetrics::checkpoint_failed() { add_one(failed_); }
void JobMetrics::restarted(RestartCause cause) { add_one(restarts_[static_cast<size_t>(cause)]); }

RestartCause restart_cause_of(std::string_view failure_code) {
  if (failure_code == error_info(ErrorCode::kTaskManagerLost).code) return RestartCause::kTaskManagerLost;
  if (failure_code == error_info(ErrorCode::kConnectionLost).code) return RestartCause::kConnectionLost;
  if (failure_code == error_info(ErrorCode::kCheckpointFailed).code) return RestartCause::kCheckpointFailure;
  return RestartCause::kTaskFailure;
}

}  // namespace millrace
