#include "jobmanager/state_forecast.h"

#include <catch2/catch.hpp>

namespace millrace {

namespace {

constexpr int64_t kForecastHour = 3'600'000;
constexpr uint64_t kForecastGigabyte = 1'000'000'000;

StateSettings forecast_limit(int64_t bytes) {
  StateSettings settings;
  settings.limit_bytes = bytes;
  return settings;
}

}  // namespace

TEST_CASE("The limit is reached when the growth of the last checkpoints says so") {
  StateGrowth growth;
  for (int64_t hour = 0; hour < 5; ++hour)
    growth.add(hour * kForecastHour, (10 + 2 * static_cast<uint64_t>(hour)) * kForecastGigabyte);
  const StateForecast forecast = growth.forecast(forecast_limit(24'000'000'000));
  REQUIRE(forecast.bytes == 18 * kForecastGigabyte);
  REQUIRE(forecast.reached_in_ms == Approx(3.0 * kForecastHour).epsilon(0.001));
  REQUIRE_FALSE(forecast.over());
  REQUIRE(forecast_text(forecast) == "18.0 GB, grows 2.0 GB an hour, limit of 24.0 GB reached in about 3 h");
}

TEST_CASE("Without growth no limit is in sight, beyond it it is exceeded, without one nothing is said of it") {
  StateGrowth growth;
  REQUIRE(growth.forecast(forecast_limit(1)).reached_in_ms == -1);
  growth.add(0, 500);
  growth.add(1000, 500);
  REQUIRE(forecast_text(growth.forecast(forecast_limit(1000))) == "500 bytes, limit of 1.0 kB not in sight");
  REQUIRE(forecast_text(growth.forecast({})) == "500 bytes");
  growth.add(2000, 400);
  REQUIRE(growth.forecast(forecast_limit(1000)).reached_in_ms == -1);  // it shrinks
  growth.add(3000, 1001);
  const StateForecast over = growth.forecast(forecast_limit(1000));
  REQUIRE(over.over());
  REQUIRE(over.reached_in_ms == 0);
  REQUIRE(forecast_text(over).ends_with("limit of 1.0 kB exceeded"));
}

TEST_CASE("Old sizes are forgotten: what counts is the growth of late") {
  StateGrowth growth;
  for (int64_t i = 0; i < 100; ++i) growth.add(i * 1000, i < 50 ? static_cast<uint64_t>(i) * 1000 : 50'000);
  REQUIRE(growth.forecast({}).bytes_per_second == Approx(0).margin(1e-9));
}

}  // namespace millrace
