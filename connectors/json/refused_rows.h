// Dead letters of a sink: the rows that its target will never take, with the reason (step_dead_letter_schema()).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "data/batch.h"

namespace millrace {

class RefusedRows {
 public:
  RefusedRows(std::string sink, int64_t failed_at_ms) : sink_(std::move(sink)), failed_at_ms_(failed_at_ms) {}
  void add(const Batch& batch, const Schema& schema, uint32_t row, std::string error);
  Batch finish();

 private:
  std::string sink_;
  int64_t failed_at_ms_;
  std::vector<std::string> errors_;
  std::vector<std::string> texts_;
  std::vector<int64_t> event_times_;
};

}  // namespace millrace
