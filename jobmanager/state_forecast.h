// How large a job's state is, how fast it grows over its last checkpoints, and when it will reach its limit. A value:
// sizes in, numbers out; the job's thread feeds it when a checkpoint completes.
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <vector>

#include "plan/job_graph.h"

namespace millrace {

struct StateForecast {
  uint64_t bytes = 0;           // of the newest checkpoint
  double bytes_per_second = 0;  // over the last checkpoints; negative: it shrinks
  int64_t limit_bytes = 0;      // 0: none
  int64_t reached_in_ms = -1;   // at that growth; 0: now; -1: not foreseeable
  [[nodiscard]] bool over() const { return limit_bytes > 0 && bytes > static_cast<uint64_t>(limit_bytes); }
};

class StateGrowth {
 public:
  void add(int64_t now_ms, uint64_t bytes);
  /// A restored checkpoint of another size is no growth.
  void reset() { sizes_.clear(); }
  [[nodiscard]] StateForecast forecast(const StateSettings& settings) const;

 private:
  struct Size {
    int64_t at_ms;
    uint64_t bytes;
  };
  static constexpr size_t kSizesMax = 30;
  std::deque<Size> sizes_;
};

/// "1.2 GB, grows 3 MB an hour, limit of 20 GB reached in about 3 h".
std::string forecast_text(const StateForecast& forecast);

}  // namespace millrace
