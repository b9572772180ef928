#include "jobmanager/rest/flink_metrics.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <numeric>
#include <set>

namespace millrace {

namespace {

using MetricJson = nlohmann::ordered_json;

std::vector<std::string> comma_list(const std::string& text) {
  std::vector<std::string> out;
  size_t from = 0;
  while (from <= text.size() && !text.empty()) {
    const size_t end = std::min(text.find(',', from), text.size());
    out.push_back(text.substr(from, end - from));
    from = end + 1;
  }
  return out;
}

MetricJson aggregate_json(const std::string& id, const std::vector<double>& values, const std::string& wanted) {
  const double sum = std::accumulate(values.begin(), values.end(), 0.0);
  const std::pair<const char*, double> all[] = {{"min", *std::ranges::min_element(values)},
                                                {"max", *std::ranges::max_element(values)},
                                                {"avg", sum / static_cast<double>(values.size())},
                                                {"sum", sum}};
  MetricJson out{{"id", id}};
  const auto names = comma_list(wanted);
  for (const auto& [name, value] : all) {
    if (names.empty() || std::ranges::find(names, name) != names.end()) out[name] = value;
  }
  return out;
}

}  // namespace

std::string flink_number(double value) {
  constexpr double kExactIntegers = 9e15;
  if (value == std::floor(value) && std::fabs(value) < kExactIntegers) return fmt::format("{:.0f}", value);
  return fmt::format("{}", value);
}

HttpResponse FlinkMetricList::answer(const RestCall& call, bool aggregated) const {
  MetricJson out = MetricJson::array();
  const std::vector<std::string> wanted = comma_list(call.query("get"));
  for (const auto& [id, values] : values_) {
    if (wanted.empty()) {
      out.push_back({{"id", id}});
    } else if (std::ranges::find(wanted, id) != wanted.end()) {
      out.push_back(aggregated ? aggregate_json(id, values, call.query("agg"))
                               : MetricJson{{"id", id}, {"value", flink_number(values.front())}});
    }
  }
  return {200, "application/json", out.dump()};
}

}  // namespace millrace
