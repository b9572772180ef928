// The bench's input: seeded JSON bids of about 200 bytes, 10,000 uniform keys, event time rising with a small disorder.
// The same numbers for a seed on every machine.
#pragma once

#include <cstdint>
#include <string>

#include "core/random.h"

namespace millrace {

struct BidOptions {
  uint64_t seed = 1;
  uint64_t keys = 10'000;
  int64_t first_ts_ms = 1'767'225'600'000;  // 2026-01-01
  int64_t events_per_second = 100'000;      // of event time
  int64_t disorder_ms = 1'000;
};

class BidGenerator {
 public:
  explicit BidGenerator(const BidOptions& options) : options_(options), random_(options.seed) {}
  /// Replaces `json` by the next bid and returns its event time in ms.
  int64_t next(std::string& json);

 private:
  BidOptions options_;
  SeededRandom random_;
  int64_t count_ = 0;
};

}  // namespace millrace
