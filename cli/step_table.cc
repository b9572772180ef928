#include "cli/step_table.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

namespace millrace {

namespace {

using StepJson = nlohmann::json;

double step_number(const StepJson& step, const char* name) { return step.value(name, 0.0); }

std::string percent(double share) { return fmt::format("{:.0f}%", share * 100); }

/// How far the step's watermark is behind the wall clock.
std::string watermark_text(double seconds, double now_ms) {
  constexpr double kEndOfInput = 1e12;
  if (seconds == 0) return "-";
  if (seconds > kEndOfInput) return "end";
  return fmt::format("{:.1f}s", now_ms / 1000 - seconds);
}

}  // namespace

TableRows step_table(const std::string& steps_json) {
  TableRows rows{{"STEP", "TYPE", "P", "IN/s", "OUT/s", "IN", "OUT", "BUSY", "BLOCKED", "LAG", "BEHIND", "STATE",
                  "LATE", "ERRORS"}};
  const StepJson body = StepJson::parse(steps_json, nullptr, false);
  if (!body.is_object()) return rows;
  for (const StepJson& step : body["steps"]) {
    rows.push_back({step.value("step", ""), step.value("type", ""), fmt::format("{}", step.value("parallelism", 0)),
                    short_number(step_number(step, "records_in_per_second")),
                    short_number(step_number(step, "records_out_per_second")),
                    short_number(step_number(step, "records_in")), short_number(step_number(step, "records_out")),
                    percent(step_number(step, "busy_ratio_max")), percent(step_number(step, "backpressured_ratio_max")),
                    step.value("kind", "") == "source" ? short_number(step_number(step, "lag_records")) : "",
                    watermark_text(step_number(step, "watermark_seconds"), body.value("at", 0.0)),
                    bytes_text(step_number(step, "state_bytes")), short_number(step_number(step, "late_records")),
                    short_number(step_number(step, "errors"))});
  }
  return rows;
}

}  // namespace millrace
