#include "jobmanager/restart_policy.h"

#include <algorithm>

namespace millrace {

std::optional<int64_t> RestartPolicy::on_failure(int64_t now_ms) {
  ++failures_;
  switch (settings_.strategy) {
    case RestartSettings::Strategy::kNone:
      return std::nullopt;
    case RestartSettings::Strategy::kFixed:
      if (failures_ > settings_.attempts) return std::nullopt;
      return settings_.delay_ms;
    case RestartSettings::Strategy::kFailureRate:
      while (!recent_.empty() && now_ms - recent_.front() > settings_.rate_per_ms) recent_.pop_front();
      recent_.push_back(now_ms);
      if (static_cast<int64_t>(recent_.size()) > settings_.rate_max) return std::nullopt;
      return settings_.delay_ms;
    case RestartSettings::Strategy::kExponential:
      return exponential_delay(now_ms);
  }
  return std::nullopt;
}

int64_t RestartPolicy::exponential_delay(int64_t now_ms) {
  const bool calm = failures_ > 1 && now_ms - last_start_ms_ >= settings_.reset_after_ms;
  if (backoff_ms_ == 0 || calm) {
    backoff_ms_ = static_cast<double>(settings_.initial_ms);
  } else {
    backoff_ms_ = std::min(backoff_ms_ * settings_.multiplier, static_cast<double>(settings_.max_ms));
  }
  const double spread = 1 + settings_.jitter * (2 * random_.unit() - 1);
  const auto delay = static_cast<int64_t>(std::min(backoff_ms_ * spread, static_cast<double>(settings_.max_ms)));
  last_start_ms_ = now_ms + delay;
  return delay;
}

}  // namespace millrace
