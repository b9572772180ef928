// Flink's metric queries: without `get` the list of ids; with `get=a,b` their values, one each ([{id, value}]) or
// aggregated over subtasks ([{id, min, max, avg, sum}], `agg` choosing). Used by the routes that end in /metrics.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "jobmanager/rest/route_table.h"

namespace millrace {

class FlinkMetricList {
 public:
  /// Several values under one id are aggregated.
  void add(const std::string& id, double value) { values_[id].push_back(value); }
  [[nodiscard]] HttpResponse answer(const RestCall& call, bool aggregated = false) const;

 private:
  std::map<std::string, std::vector<double>> values_;
};

/// What `get` asks for; a number is written without a fraction when it has none.
std::string flink_number(double value);

}  // namespace millrace
