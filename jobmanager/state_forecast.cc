#include "jobmanager/state_forecast.h"

#include <fmt/format.h>

#include <array>
#include <cmath>

namespace millrace {

namespace {

std::string size_text(double bytes) {
  static constexpr std::array kUnits{"bytes", "kB", "MB", "GB", "TB"};
  size_t unit = 0;
  for (; std::abs(bytes) >= 1000 && unit + 1 < kUnits.size(); ++unit) bytes /= 1000;
  return fmt::format("{:.{}f} {}", bytes, unit == 0 || std::abs(bytes) >= 100 ? 0 : 1, kUnits[unit]);
}

std::string about(int64_t ms) {
  const double minutes = static_cast<double>(ms) / 60'000;
  if (minutes < 1) return "less than a minute";
  if (minutes < 90) return fmt::format("about {:.0f} min", minutes);
  if (minutes < 48 * 60) return fmt::format("about {:.0f} h", minutes / 60);
  return fmt::format("about {:.0f} days", minutes / 60 / 24);
}

}  // namespace

void StateGrowth::add(int64_t now_ms, uint64_t bytes) {
  sizes_.push_back({now_ms, bytes});
  if (sizes_.size() > kSizesMax) sizes_.pop_front();
}

/// The slope of the line through the sizes (least squares): one large window that closes bends it little.
StateForecast StateGrowth::forecast(const StateSettings& settings) const {
  StateForecast out;
  out.limit_bytes = settings.limit_bytes;
  if (sizes_.empty()) return out;
  out.bytes = sizes_.back().bytes;
  double mean_at = 0;
  double mean_bytes = 0;
  const auto count = static_cast<double>(sizes_.size());
  for (const Size& size : sizes_) {
    mean_at += static_cast<double>(size.at_ms - sizes_.front().at_ms) / count;
    mean_bytes += static_cast<double>(size.bytes) / count;
  }
  double products = 0;
  double squares = 0;
  for (const Size& size : sizes_) {
    const double at = static_cast<double>(size.at_ms - sizes_.front().at_ms) - mean_at;
    products += at * (static_cast<double>(size.bytes) - mean_bytes);
    squares += at * at;
  }
  if (squares > 0) out.bytes_per_second = products / squares * 1000;
  if (out.over()) {
    out.reached_in_ms = 0;
  } else if (out.limit_bytes > 0 && out.bytes_per_second > 0) {
    const double left = static_cast<double>(out.limit_bytes) - static_cast<double>(out.bytes);
    constexpr double kForeseeableMs = 365.0 * 24 * 3600 * 1000;
    const double ms = left / out.bytes_per_second * 1000;
    if (ms < kForeseeableMs) out.reached_in_ms = static_cast<int64_t>(ms);
  }
  return out;
}

std::string forecast_text(const StateForecast& forecast) {
  std::string text = size_text(static_cast<double>(forecast.bytes));
  const double hourly = forecast.bytes_per_second * 3600;
  if (std::abs(hourly) >= 1) {
    text += fmt::format(", {} {} an hour", hourly > 0 ? "grows" : "shrinks", size_text(std::abs(hourly)));
  }
  if (forecast.limit_bytes <= 0) return text;
  text += fmt::format(", limit of {} ", size_text(static_cast<double>(forecast.limit_bytes)));
  if (forecast.over()) return text + "exceeded";
  return text + (forecast.reached_in_ms < 0 ? "not in sight" : "reached in " + about(forecast.reached_in_ms));
}

}  // namespace millrace
