#include "jobmanager/doctor.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <optional>
#include <set>

namespace millrace {
namespace {

constexpr double kEndOfInputSeconds = 1e12;
constexpr double kBlockedShare = 0.5;
constexpr double kSecondsToJudge = 1;
constexpr const char* kPartialSuffix = ".partial";  // plan/spec/partial_steps.cc

struct SplitNumbers {
  double watermark = 0;
  bool known = false;  // it has a watermark
  bool idle = false;
  bool at_end = false;
};

/// A step's series, summed over subtasks; the watermark is the lowest.
struct StepNumbers {
  double in = 0;
  double out = 0;
  double late = 0;
  double errors = 0;
  double no_window = 0;
  double ahead = 0;
  double busy = 0;
  double idle = 0;
  double blocked = 0;
  double lag = 0;
  std::optional<double> watermark;
  bool without_watermark = false;  // some subtask has none
  std::map<std::string, SplitNumbers> splits;
};

void add_watermark(StepNumbers& step, double value) {
  if (value == 0) {
    step.without_watermark = true;
  } else {
    step.watermark = std::min(step.watermark.value_or(value), value);
  }
}

std::map<std::string, StepNumbers> collect_numbers(const std::vector<MetricSample>& samples) {
  std::map<std::string, StepNumbers> steps;
  for (const MetricSample& sample : samples) {
    StepNumbers& step = steps[label_of(sample.labels, "step")];
    const std::string& name = sample.name;
    const double value = sample.value;
    if (name == "millrace_step_records_in_total") step.in += value;
    if (name == "millrace_step_records_out_total") step.out += value;
    if (name == "millrace_step_late_records_total") step.late += value;
    if (name == "millrace_step_errors_total") step.errors += value;
    if (name == "millrace_step_no_window_records_total") step.no_window += value;
    if (name == "millrace_source_ahead_records_total") step.ahead += value;
    if (name == "millrace_source_lag_records") step.lag += value;
    if (name == "millrace_step_watermark_timestamp_seconds") add_watermark(step, value);
    if (name == "millrace_step_time_seconds_total") {
      const std::string state = label_of(sample.labels, "state");
      (state == "busy" ? step.busy : state == "idle" ? step.idle : step.blocked) += value;
    }
    if (name == "millrace_source_split_watermark_timestamp_seconds") {
      SplitNumbers& split = step.splits[label_of(sample.labels, "split")];
      split.watermark = value;
      split.known = value != 0;
    }
    if (name == "millrace_source_split_idle") step.splits[label_of(sample.labels, "split")].idle = value != 0;
    if (name == "millrace_source_split_at_end") step.splits[label_of(sample.labels, "split")].at_end = value != 0;
  }
  return steps;
}

std::string seconds_text(double seconds) { return fmt::format("{:.1f} s", seconds); }
std::string time_text(double seconds) { return fmt::format("{:.0f} (ms since the epoch)", seconds * 1000); }

class Doctor {
 public:
  Doctor(const JobGraph& graph, const std::vector<MetricSample>& samples, const JobView& view, int64_t now_ms)
      : graph_(graph), view_(view), numbers_(collect_numbers(samples)), now_s_(static_cast<double>(now_ms) / 1000) {}

  std::vector<DoctorFinding> run(const std::string& step) {
    if (view_.state != JobState::kRunning) add("", "job", fmt::format("the job is {}", job_state_name(view_.state)));
    if (view_.failure && view_.state != JobState::kFinished) {
      add(view_.failure->step, "job", "the last failure: " + view_.failure->message, view_.failure->help);
    }
    if (!step.empty() && graph_.find(step) == nullptr) {
      add(step, "job", fmt::format("the job has no step `{}`", step));
      return std::move(findings_);
    }
    if (step.empty()) examine_state();
    const std::set<uint32_t> wanted = upstream(step);
    for (uint32_t node = 0; node < graph_.nodes.size(); ++node) {
      if (step.empty() || wanted.contains(node)) examine(graph_.nodes[node]);
    }
    if (findings_.empty()) {
      add(step, "healthy", "rows flow: nothing holds the watermark, drops all rows or is back-pressured");
    }
    return std::move(findings_);
  }

 private:
  void add(std::string step, std::string kind, std::string text, std::string help = {}) {
    findings_.push_back({std::move(step), std::move(kind), std::move(text), std::move(help)});
  }

  void examine_state() {
    if (view_.sources_held) {
      add("", "state_limit",
          "all sources pause: the state is larger than settings.state.limit, and `on_limit` says "
          "`backpressure`",
          "they go on when a checkpoint is smaller; raise the limit and `millrace upgrade` the job otherwise");
    }
    constexpr int64_t kSoonMs = 6 * 3600 * 1000LL;
    const StateForecast& size = view_.state_size;
    if (size.limit_bytes <= 0 || size.reached_in_ms < 0 || size.reached_in_ms > kSoonMs) return;
    const StateSizeView* largest = nullptr;
    for (const StateSizeView& one : view_.state_sizes) {
      if (largest == nullptr || one.bytes > largest->bytes) largest = &one;
    }
    add("", "state_limit",
        "the state: " + forecast_text(size) +
            (largest == nullptr ? "" : fmt::format("; the largest is `{}` of `{}`", largest->name, largest->step)),
        "give steps a `ttl`, shorten windows, or raise settings.state.limit");
  }

  /// The step's node and all that it reads from, directly or not.
  [[nodiscard]] std::set<uint32_t> upstream(const std::string& step) const {
    std::set<uint32_t> found;
    for (auto node = static_cast<uint32_t>(graph_.nodes.size()); node-- > 0;) {
      if (graph_.nodes[node].id == step) found.insert(node);
      if (!found.contains(node)) continue;
      for (const NodeInput& input : graph_.nodes[node].inputs) found.insert(input.node);
    }
    return found;
  }

  void examine(const Node& node) {
    const StepNumbers& step = numbers_[node.id];
    if (node.kind == NodeKind::kSource) {
      examine_source(node, step);
    } else {
      examine_rows(node, step);
      if (node.kind == NodeKind::kOperator && node.stateful) examine_watermark(node, step);
    }
    examine_pressure(node, step);
  }

  void examine_source(const Node& node, const StepNumbers& step) {
    if (step.in == 0) {
      add(node.id, "no_input", fmt::format("the source `{}` has read no record", node.id),
          "look at its topic or path, and at `start_from`");
    }
    if (step.errors > 0) {
      add(node.id, "errors",
          fmt::format("`{}`: {:.0f} of {:.0f} records could not be read", node.id, step.errors, step.in));
    }
    if (step.ahead > 0) {
      add(node.id, "ahead",
          fmt::format("`{}`: {:.0f} rows lie further than `max_ahead` in the future", node.id, step.ahead),
          fmt::format("they went to `{}.ahead`", node.id));
    }
    examine_splits(node, step);
  }

  /// The split that holds the others back.
  void examine_splits(const Node& node, const StepNumbers& step) {
    const std::pair<const std::string, SplitNumbers>* slowest = nullptr;
    const std::pair<const std::string, SplitNumbers>* fastest = nullptr;
    size_t idle = 0;
    for (const auto& split : step.splits) {
      idle += split.second.idle ? 1 : 0;
      if (split.second.idle) continue;
      const auto before = [](const SplitNumbers& a, const SplitNumbers& b) {
        return a.known != b.known ? !a.known : a.watermark < b.watermark;
      };
      if (slowest == nullptr || before(split.second, slowest->second)) slowest = &split;
      if (fastest == nullptr || before(fastest->second, split.second)) fastest = &split;
    }
    if (idle > 0 && slowest == nullptr) {
      add(node.id, "idle",
          fmt::format("all {} partitions of `{}` are idle: the watermark stays where it is", idle, node.id),
          "new rows move it; windows that are open wait for them");
    }
    if (slowest == nullptr || slowest == fastest) return;
    const SplitNumbers& slow = slowest->second;
    const SplitNumbers& fast = fastest->second;
    if (slow.known && fast.watermark - slow.watermark < kSecondsToJudge) return;
    std::string text =
        slow.known
            ? fmt::format("`{}`: the partition `{}` holds the watermark at {}, {} behind `{}`", node.id, slowest->first,
                          time_text(slow.watermark), seconds_text(fast.watermark - slow.watermark), fastest->first)
            : fmt::format("`{}`: the partition `{}` has no rows yet and holds the watermark; `{}` has reached {}",
                          node.id, slowest->first, fastest->first, time_text(fast.watermark));
    const bool off = node.source != nullptr && node.source->event_time.idle_timeout_ms < 0;
    std::string help;
    if (slow.at_end && off) {
      text += "; it has delivered all it has";
      help = "`idle_timeout: 30s` in its event_time lets a silent partition not count";
    } else if (slow.at_end) {
      text += fmt::format("; it is silent and turns idle after {} ms", node.source->event_time.idle_timeout_ms);
    } else {
      text += "; it still has rows to read";
    }
    add(node.id, "held_watermark", std::move(text), std::move(help));
  }

  void examine_rows(const Node& node, const StepNumbers& step) {
    if (step.late > 0) {
      add(node.id, "late", fmt::format("`{}`: {:.0f} of {:.0f} rows were late", node.id, step.late, rows_in(node)),
          fmt::format("`{}.late` has them; a longer `out_of_orderness` or `allowed_lateness` keeps them", node.id));
    }
    if (step.errors > 0) {
      add(node.id, "errors", fmt::format("`{}`: {:.0f} of {:.0f} rows failed", node.id, step.errors, step.in));
    }
    if (step.no_window > 0) {
      add(node.id, "no_window",
          fmt::format("`{}`: {:.0f} of {:.0f} rows belong to no window", node.id, step.no_window, step.in));
    }
    if (node.type == "filter" && step.in > 0 && step.out == 0) {
      add(node.id, "drops_all", fmt::format("the filter `{}` has dropped all of {:.0f} rows", node.id, step.in),
          "`millrace eval` tries its expression; letter case and NULL are the usual causes");
    }
  }

  /// The step that a reader of the job file knows: not the sums that the planner put in between.
  [[nodiscard]] const Node& written_input(const Node& node, const NodeInput& input) const {
    const Node& from = graph_.nodes[input.node];
    return from.id == node.id + kPartialSuffix ? graph_.nodes[from.inputs[0].node] : from;
  }

  /// The rows of the stream, where some were summed up on the way.
  [[nodiscard]] double rows_in(const Node& node) {
    const Node* partial = graph_.find(node.id + kPartialSuffix);
    return numbers_[partial != nullptr ? partial->id : node.id].in;
  }

  /// How far the fastest partition above the step has come.
  [[nodiscard]] std::optional<double> fastest_split(const Node& node) {
    std::optional<double> fastest;
    for (const uint32_t above : upstream(node.id)) {
      for (const auto& [name, split] : numbers_[graph_.nodes[above].id].splits) {
        if (split.known) fastest = std::max(fastest.value_or(split.watermark), split.watermark);
      }
    }
    return fastest;
  }

  /// The input whose watermark is lowest holds a step that waits for time. A step that has emitted before is held when
  /// rows are further ahead of that watermark than they would wait anyway.
  void examine_watermark(const Node& node, const StepNumbers& step) {
    if (step.in == 0) return;
    const Node* holder = nullptr;
    std::optional<double> lowest;
    bool unknown = false;
    for (const NodeInput& input : node.inputs) {
      const Node& from = written_input(node, input);
      const StepNumbers& numbers = numbers_[from.id];
      const bool none = numbers.without_watermark || !numbers.watermark;
      if (unknown || (!none && lowest && *numbers.watermark >= *lowest)) continue;
      holder = &from;
      unknown = none;
      if (!none) lowest = numbers.watermark;
    }
    if (holder == nullptr || (lowest && *lowest > kEndOfInputSeconds)) return;
    if (step.out > 0) {
      const std::optional<double> fastest = unknown ? std::nullopt : fastest_split(node);
      const double waits = static_cast<double>(node.delay_ms) / 1000 + kSecondsToJudge;
      if (!fastest || *fastest > kEndOfInputSeconds || *fastest - *lowest <= waits) return;
      add(node.id, "held_watermark",
          fmt::format("`{}` has emitted {:.0f} rows and waits; its input `{}` has the watermark {}, {} behind the "
                      "fastest partition",
                      node.id, step.out, holder->id, time_text(*lowest), seconds_text(*fastest - *lowest)));
      return;
    }
    if (unknown) {
      add(node.id, "no_watermark",
          fmt::format("`{}` has taken {:.0f} rows and waits for a watermark; its input `{}` has none yet", node.id,
                      step.in, holder->id),
          no_watermark_help(*holder));
      return;
    }
    add(node.id, "held_watermark",
        fmt::format("`{}` has taken {:.0f} rows and emitted none; its input `{}` has the watermark {}, {} behind the "
                    "clock{}",
                    node.id, step.in, holder->id, time_text(*lowest), seconds_text(now_s_ - *lowest),
                    node.delay_ms > 0 ? fmt::format("; a row waits {} ms of event time here", node.delay_ms) : ""));
  }

  static std::string no_watermark_help(const Node& holder) {
    if (holder.source != nullptr && holder.source->event_time.column < 0) {
      return fmt::format("`event_time: {{column: …}}` of `{}` makes one", holder.id);
    }
    return {};
  }

  void examine_pressure(const Node& node, const StepNumbers& step) {
    const double total = step.busy + step.idle + step.blocked;
    if (total < kSecondsToJudge || step.blocked / total < kBlockedShare) return;
    add(node.id, "backpressure",
        fmt::format("`{}` was back-pressured {:.0f} % of its time (busy {:.0f} %): a step behind it is slower{}",
                    node.id, 100 * step.blocked / total, 100 * step.busy / total, busiest_but(node.id)),
        "more `parallelism` for the slow step; a sink that does not answer shows the same");
  }

  /// ", probably `x` (busy 97 %)"; a step does not wait for itself.
  [[nodiscard]] std::string busiest_but(const std::string& waiting) const {
    std::string name;
    double most = 0;
    for (const auto& [id, step] : numbers_) {
      const double total = step.busy + step.idle + step.blocked;
      if (id.empty() || id == waiting || total < kSecondsToJudge || step.busy / total <= most) continue;
      most = step.busy / total;
      name = id;
    }
    return name.empty() ? "" : fmt::format(", probably `{}` (busy {:.0f} %)", name, 100 * most);
  }

  const JobGraph& graph_;
  const JobView& view_;
  std::map<std::string, StepNumbers> numbers_;
  double now_s_;
  std::vector<DoctorFinding> findings_;
};

}  // namespace

std::vector<DoctorFinding> diagnose_job(const JobGraph& graph, const std::vector<MetricSample>& samples,
                                        const JobView& view, const std::string& step, int64_t now_ms) {
  return Doctor(graph, samples, view, now_ms).run(step);
}

}  // namespace millrace
