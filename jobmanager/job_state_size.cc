// How large the state is: what JobMaster does with the size of a completed checkpoint.
#include <algorithm>

#include "core/log.h"
#include "jobmanager/job_master.h"
#include "state/checkpoint_plan.h"

namespace millrace {

bool JobMaster::measure_state(int64_t checkpoint_id) {
  uint64_t bytes = 0;
  for (const SnapshotHandle& handle : coordinator_->handles()) bytes += handle.full_bytes();
  const int64_t now_ms = config_.clock->wall_ms();
  growth_.add(now_ms, bytes);
  const StateSettings& settings = config_.graph->settings.state;
  view_.state_size = growth_.forecast(settings);
  metrics_.state_size(view_.state_size);
  // Reading the heads of all files at every short interval would cost more than the number is worth.
  constexpr int64_t kMeasureEveryMs = 10'000;
  if (measured_ms_ == INT64_MIN || now_ms - measured_ms_ >= kMeasureEveryMs) measure_each_state(checkpoint_id);
  if (settings.on_limit == OnStateLimit::kBackpressure && view_.state_size.over() != sources_held_) {
    hold_sources(view_.state_size.over());
  }
  if (!view_.state_size.over()) {
    over_limit_told_ = false;
    return true;
  }
  if (!over_limit_told_) {
    log_warn("the state is larger than its limit", {{"job", view_.name}, {"state", forecast_text(view_.state_size)}});
  }
  over_limit_told_ = true;
  if (settings.on_limit != OnStateLimit::kFail || final_in_flight_) return true;
  fail(Error{ErrorCode::kRefusedByState,
             "the state is larger than settings.state.limit: " + forecast_text(view_.state_size),
             "the last checkpoint is kept: raise the limit and start the job again; `millrace state list` shows which "
             "state is large"});
  return false;
}

void JobMaster::hold_sources(bool hold) {
  sources_held_ = hold;
  view_.sources_held = hold;
  log_info(hold ? "sources pause: the state is larger than its limit" : "sources go on", {{"job", view_.name}});
  send(HoldSources{view_.job_id, view_.attempt, hold});
}

void JobMaster::measure_each_state(int64_t checkpoint_id) {
  const int64_t now_ms = config_.clock->wall_ms();
  auto metadata = read_checkpoint(*config_.fs, checkpoint_path(view_.directory, checkpoint_id));
  if (!metadata) return;
  const auto opened = open_checkpoint(*config_.fs, std::move(*metadata));
  if (!opened) {
    log_debug("the sizes of states are not known", {{"error", opened.error().to_string()}});
    return;
  }
  std::vector<StateSizeView> sizes;
  for (const SnapshotStateInfo& info : opened->snapshots->states()) {
    StateSizeView size{info.state.step, info.state.name, info.rows, info.bytes, 0};
    const auto before = std::ranges::find_if(
        view_.state_sizes, [&](const StateSizeView& one) { return one.step == size.step && one.name == size.name; });
    if (before != view_.state_sizes.end() && now_ms > measured_ms_) {
      size.bytes_per_second = (static_cast<double>(size.bytes) - static_cast<double>(before->bytes)) * 1000 /
                              static_cast<double>(now_ms - measured_ms_);
    }
    metrics_.state_size(size);
    sizes.push_back(std::move(size));
  }
  view_.state_sizes = std::move(sizes);
  measured_ms_ = now_ms;
}

}  // namespace millrace
