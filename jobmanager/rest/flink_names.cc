#include "jobmanager/rest/flink_names.h"

#include <fmt/format.h>

#include <map>

#include "core/hash.h"

namespace millrace {

namespace {

struct Renamed {
  std::string_view native;
  std::string_view label;  // the series' label `label` must be `value`; "" = all
  std::string_view value;
  std::string_view flink;
  double factor = 1;
};

constexpr double kMs = 1000;
constexpr double kNs = 1e9;

// Below flink_taskmanager_job_task_.
constexpr Renamed kTaskSeries[] = {
    {"millrace_step_records_in_total", "", "", "numRecordsIn"},
    {"millrace_step_records_out_total", "", "", "numRecordsOut"},
    {"millrace_step_bytes_in_total", "", "", "numBytesIn"},
    {"millrace_step_time_seconds_total", "state", "busy", "accumulateBusyTimeMs", kMs},
    {"millrace_step_time_seconds_total", "state", "idle", "accumulateIdleTimeMs", kMs},
    {"millrace_step_time_seconds_total", "state", "backpressured", "accumulateBackPressuredTimeMs", kMs},
    {"millrace_step_queue_usage_ratio", "", "", "buffers_inPoolUsage"},
    {"millrace_checkpoint_alignment_seconds", "", "", "checkpointAlignmentTime", kNs},
};

// Below flink_taskmanager_job_task_operator_.
constexpr Renamed kOperatorSeries[] = {
    {"millrace_step_records_in_total", "", "", "numRecordsIn"},
    {"millrace_step_records_out_total", "", "", "numRecordsOut"},
    {"millrace_step_watermark_timestamp_seconds", "", "", "currentInputWatermark", kMs},
    {"millrace_step_watermark_timestamp_seconds", "", "", "currentOutputWatermark", kMs},
    {"millrace_step_watermark_lag_seconds", "", "", "watermarkLag", kMs},
    {"millrace_step_late_records_total", "", "", "numLateRecordsDropped"},
    {"millrace_step_errors_total", "", "", "numRecordsInErrors"},
    {"millrace_source_lag_records", "", "", "pendingRecords"},
    {"millrace_source_lag_records", "", "", "KafkaSourceReader_KafkaConsumer_records_lag_max"},
    {"millrace_source_offset", "", "", "KafkaSourceReader_currentOffset"},
    {"millrace_source_committed_offset", "", "", "KafkaSourceReader_committedOffset"},
};

// Whole names; `{}` is the role.
constexpr Renamed kProcessSeries[] = {
    {"process_resident_memory_bytes", "", "", "flink_{}_Status_JVM_Memory_Heap_Used"},
    {"process_cpu_seconds_total", "", "", "flink_{}_Status_JVM_CPU_Time", kNs},
    {"millrace_taskmanagers", "", "", "flink_jobmanager_numRegisteredTaskManagers"},
    {"millrace_taskmanager_slots", "state", "free", "flink_jobmanager_taskSlotsAvailable"},
};

class FlinkPageWriter {
 public:
  FlinkPageWriter(const FlinkPage& page, RateWindow& rates) : page_(page), rates_(rates) {}

  std::vector<MetricSample> write(const std::vector<MetricSample>& samples) {
    double slots = 0;
    for (const MetricSample& sample : samples) {
      if (sample.name == "millrace_taskmanager_slots") slots += sample.value;
      task_series(sample);
      process_series(sample);
    }
    per_second(samples);
    if (!page_.taskmanager) jobmanager_series(slots);
    return std::move(out_);
  }

 private:
  void put(std::string name, Labels labels, double value) {
    std::string help = name + " under Flink's name.";
    out_.push_back({std::move(name), std::move(help), MetricKind::kGauge, std::move(labels), value});
  }

  /// Flink's labels of a step's series; what else the series had (topic, partition) stays.
  Labels task_labels(const Labels& native, bool of_operator) const {
    const std::string step = label_of(native, "step");
    Labels labels{{"job_id", label_of(native, "job_id")},
                  {"job_name", label_of(native, "job_name")},
                  {"task_id", flink_vertex_id(step)},
                  {"task_name", step},
                  {"subtask_index", label_of(native, "subtask")}};
    if (!page_.tm_id.empty()) labels.emplace_back("tm_id", page_.tm_id);
    if (of_operator) {
      labels.emplace_back("operator_id", flink_vertex_id(step));
      labels.emplace_back("operator_name", step);
    }
    for (const auto& [name, value] : native) {
      if (name == "topic" || name == "partition" || name == "split" || name == "reason")
        labels.emplace_back(name, value);
    }
    return labels;
  }

  static bool renames(const Renamed& one, const MetricSample& sample) {
    return sample.name == one.native && (one.label.empty() || label_of(sample.labels, one.label) == one.value);
  }

  void task_series(const MetricSample& sample) {
    if (label_of(sample.labels, "step").empty()) return;
    for (const Renamed& one : kTaskSeries) {
      if (!renames(one, sample)) continue;
      put(fmt::format("flink_taskmanager_job_task_{}", one.flink), task_labels(sample.labels, false),
          sample.value * one.factor);
    }
    for (const Renamed& one : kOperatorSeries) {
      if (!renames(one, sample)) continue;
      put(fmt::format("flink_taskmanager_job_task_operator_{}", one.flink), task_labels(sample.labels, true),
          sample.value * one.factor);
    }
  }

  void process_series(const MetricSample& sample) {
    for (const Renamed& one : kProcessSeries) {
      if (!renames(one, sample)) continue;
      const std::string_view role = page_.taskmanager ? "taskmanager" : "jobmanager";
      put(fmt::format(fmt::runtime(one.flink), role), {}, sample.value * one.factor);
    }
  }

  void per_second(const std::vector<MetricSample>& samples) {
    std::map<std::string, std::vector<MetricSample>> by_job;
    for (const MetricSample& sample : samples) {
      if (!label_of(sample.labels, "step").empty()) by_job[label_of(sample.labels, "job_id")].push_back(sample);
    }
    for (const auto& [job_id, series] : by_job) {
      const std::string job_name = label_of(series.front().labels, "job_name");
      const StepRates all = rates_.rates(job_id, step_numbers(series), page_.now_ms, page_.now_ms);
      for (const auto& [step, subtasks] : all) {
        for (const auto& [subtask, rate] : subtasks) {
          rates_of(rate,
                   {{"job_id", job_id}, {"job_name", job_name}, {"step", step}, {"subtask", std::to_string(subtask)}});
        }
      }
    }
  }

  void rates_of(const SubtaskRates& rate, const Labels& native) {
    const Labels labels = task_labels(native, false);
    const auto task = [&](std::string_view name, double value) {
      put(fmt::format("flink_taskmanager_job_task_{}", name), labels, value);
    };
    task("busyTimeMsPerSecond", rate.busy * kMs);
    task("idleTimeMsPerSecond", rate.idle * kMs);
    task("backPressuredTimeMsPerSecond", rate.backpressured * kMs);
    task("hardBackPressuredTimeMsPerSecond", rate.backpressured * kMs);
    task("isBackPressured", rate.backpressured > 0.5 ? 1 : 0);
    task("numRecordsInPerSecond", rate.records_in);
    task("numRecordsOutPerSecond", rate.records_out);
    task("numBytesInPerSecond", rate.bytes_in);
    put("flink_taskmanager_job_task_operator_numRecordsInPerSecond", task_labels(native, true), rate.records_in);
    put("flink_taskmanager_job_task_operator_numRecordsOutPerSecond", task_labels(native, true), rate.records_out);
  }

  void jobmanager_series(double slots) {
    double running = 0;
    for (const JobView& job : page_.jobs) {
      running += is_terminal(job.state) ? 0 : 1;
      if (!is_terminal(job.state)) job_series(job);
    }
    put("flink_jobmanager_numRunningJobs", {}, running);
    put("flink_jobmanager_taskSlotsTotal", {}, slots);
  }

  void job_series(const JobView& job) {
    const bool runs = job.state == JobState::kRunning || job.state == JobState::kEnding;
    const auto since =
        static_cast<double>(page_.now_ms - (job.states.empty() ? job.started_ms : job.states.back().second));
    double in_progress = 0;
    for (const CheckpointView& one : job.recent_checkpoints) {
      in_progress += one.status == CheckpointStatus::kInProgress ? 1 : 0;
    }
    const auto count = [&](std::string_view name, double value) {
      put(fmt::format("flink_jobmanager_job_{}", name), {{"job_id", job.job_id}, {"job_name", job.name}}, value);
    };
    count("uptime", runs ? since : 0);
    count("runningTime", runs ? since : 0);
    count("downtime", runs ? 0 : since);
    count("restartingTime", job.state == JobState::kRestarting ? since : 0);
    count("numRestarts", static_cast<double>(job.restarts));
    count("fullRestarts", static_cast<double>(job.restarts));
    count("lastCheckpointDuration", static_cast<double>(job.last_checkpoint_duration_ms));
    count("lastCheckpointSize", static_cast<double>(job.last_checkpoint_bytes));
    count("lastCheckpointFullSize", static_cast<double>(job.last_checkpoint_bytes));
    count("lastCompletedCheckpointId", static_cast<double>(job.last_checkpoint_id));
    count("lastCheckpointCompletedTimestamp", static_cast<double>(job.last_checkpoint_ms));
    count("numberOfInProgressCheckpoints", in_progress);
    count("numberOfCompletedCheckpoints", static_cast<double>(job.checkpoints_completed));
    count("numberOfFailedCheckpoints", static_cast<double>(job.checkpoints_failed));
    count("totalNumberOfCheckpoints",
          static_cast<double>(job.checkpoints_completed + job.checkpoints_failed) + in_progress);
  }

  const FlinkPage& page_;
  RateWindow& rates_;
  std::vector<MetricSample> out_;
};

}  // namespace

std::vector<MetricSample> flink_named(const std::vector<MetricSample>& samples, const FlinkPage& page,
                                      RateWindow& rates) {
  return FlinkPageWriter(page, rates).write(samples);
}

std::string flink_vertex_id(std::string_view step) {
  return fmt::format("{:016x}{:016x}", hash64(step), hash64("vertex:" + std::string(step)));
}

}  // namespace millrace
