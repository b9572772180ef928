#include "jobmanager/rest/step_numbers.h"

#include <algorithm>
#include <charconv>
#include <string_view>

namespace millrace {

namespace {

constexpr double kFarFutureSeconds = 1e12;  // the end of input
constexpr int64_t kLookEveryMs = 1000;
constexpr size_t kLooksMax = 4;
constexpr size_t kJobsMax = 1000;

struct SummedSeries {
  std::string_view name;
  double SubtaskNumbers::* member;
};
constexpr SummedSeries kSummedSeries[] = {
    {"millrace_step_records_in_total", &SubtaskNumbers::records_in},
    {"millrace_step_records_out_total", &SubtaskNumbers::records_out},
    {"millrace_step_bytes_in_total", &SubtaskNumbers::bytes_in},
    {"millrace_step_late_records_total", &SubtaskNumbers::late_records},
    {"millrace_step_errors_total", &SubtaskNumbers::errors},
    {"millrace_source_lag_records", &SubtaskNumbers::lag_records},
    {"millrace_step_watermark_timestamp_seconds", &SubtaskNumbers::watermark_seconds},
    {"millrace_step_state_keys", &SubtaskNumbers::state_keys},
    {"millrace_step_state_bytes", &SubtaskNumbers::state_bytes},
    {"millrace_step_queue_usage_ratio", &SubtaskNumbers::queue_usage},
};

double SubtaskNumbers::* time_member(std::string_view state) {
  if (state == "busy") return &SubtaskNumbers::busy_seconds;
  return state == "idle" ? &SubtaskNumbers::idle_seconds : &SubtaskNumbers::backpressured_seconds;
}

SubtaskRates rates_between(const SubtaskNumbers& before, const SubtaskNumbers& now, double seconds) {
  const auto rate = [&](double SubtaskNumbers::* member) {
    const double grown = now.*member - before.*member;
    return std::max(0.0, grown < 0 ? now.*member : grown) / seconds;
  };
  SubtaskRates out;
  out.records_in = rate(&SubtaskNumbers::records_in);
  out.records_out = rate(&SubtaskNumbers::records_out);
  out.bytes_in = rate(&SubtaskNumbers::bytes_in);
  out.busy = std::min(1.0, rate(&SubtaskNumbers::busy_seconds));
  out.idle = std::min(1.0, rate(&SubtaskNumbers::idle_seconds));
  out.backpressured = std::min(1.0, rate(&SubtaskNumbers::backpressured_seconds));
  return out;
}

}  // namespace

StepNumbers step_numbers(const std::vector<MetricSample>& samples) {
  StepNumbers out;
  for (const MetricSample& sample : samples) {
    const std::string_view step = label_of(sample.labels, "step");
    const std::string_view number = label_of(sample.labels, "subtask");
    uint32_t subtask = 0;
    const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), subtask);
    if (step.empty() || number.empty() || error != std::errc()) continue;
    SubtaskNumbers& numbers = out[std::string(step)][subtask];
    if (sample.name == "millrace_step_time_seconds_total") {
      numbers.*time_member(label_of(sample.labels, "state")) += sample.value;
      continue;
    }
    for (const SummedSeries& one : kSummedSeries) {
      if (sample.name == one.name) numbers.*one.member += sample.value;
    }
  }
  return out;
}

SubtaskNumbers sum_of(const std::map<uint32_t, SubtaskNumbers>& subtasks) {
  SubtaskNumbers out;
  bool first = true;
  for (const auto& [number, one] : subtasks) {
    for (const SummedSeries& series : kSummedSeries) {
      if (series.member == &SubtaskNumbers::watermark_seconds || series.member == &SubtaskNumbers::queue_usage)
        continue;
      out.*series.member += one.*series.member;
    }
    out.busy_seconds += one.busy_seconds;
    out.idle_seconds += one.idle_seconds;
    out.backpressured_seconds += one.backpressured_seconds;
    out.queue_usage = std::max(out.queue_usage, one.queue_usage);
    out.watermark_seconds = first ? one.watermark_seconds : std::min(out.watermark_seconds, one.watermark_seconds);
    first = false;
  }
  return out;
}

StepRates RateWindow::rates(const std::string& job_id, const StepNumbers& now, int64_t now_ms, int64_t started_ms) {
  if (looks_.size() > kJobsMax && !looks_.contains(job_id)) looks_.erase(looks_.begin());
  std::deque<Look>& looks = looks_[job_id];
  const Look* before = nullptr;
  for (const Look& look : looks) {
    if (now_ms - look.at_ms >= kLookEveryMs) before = &look;  // the youngest that is old enough
  }
  const int64_t from_ms = before != nullptr ? before->at_ms : started_ms;
  const double seconds = static_cast<double>(std::max<int64_t>(now_ms - from_ms, 1)) / 1000.0;
  StepRates out;
  for (const auto& [step, subtasks] : now) {
    for (const auto& [subtask, numbers] : subtasks) {
      SubtaskNumbers base;
      if (before != nullptr) {
        const auto old = before->numbers.find(step);
        if (old != before->numbers.end() && old->second.contains(subtask)) base = old->second.at(subtask);
      }
      out[step][subtask] = rates_between(base, numbers, seconds);
    }
  }
  if (looks.empty() || now_ms - looks.back().at_ms >= kLookEveryMs) {
    looks.push_back({now_ms, now});
    if (looks.size() > kLooksMax) looks.pop_front();
  }
  return out;
}

void add_watermark_lag(std::vector<MetricSample>& samples, int64_t now_ms) {
  const double now_s = static_cast<double>(now_ms) / 1000.0;
  const size_t collected = samples.size();
  for (size_t i = 0; i < collected; ++i) {
    const MetricSample watermark = samples[i];
    if (watermark.name != "millrace_step_watermark_timestamp_seconds" || watermark.value == 0 ||
        watermark.value > kFarFutureSeconds) {
      continue;
    }
    samples.push_back({"millrace_step_watermark_lag_seconds", "Wall clock less the step's watermark.",
                       MetricKind::kGauge, watermark.labels, now_s - watermark.value});
  }
}

}  // namespace millrace
