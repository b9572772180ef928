#include "bench/bids.h"

#include <fmt/format.h>

#include <iterator>

namespace millrace {

int64_t BidGenerator::next(std::string& json) {
  static constexpr const char* kChannels[] = {"google", "facebook", "baidu", "apple"};
  const int64_t ts = options_.first_ts_ms + count_ * 1000 / options_.events_per_second -
                     static_cast<int64_t>(random_.below(static_cast<uint64_t>(options_.disorder_ms)));
  ++count_;
  const uint64_t auction = random_.below(options_.keys);
  const uint64_t bidder = random_.below(options_.keys);
  const uint64_t price = 100 + random_.below(10'000'000);
  const uint64_t bits = random_.next();
  json.clear();
  fmt::format_to(
      std::back_inserter(json),
      R"({{"auction":{},"bidder":{},"price":{},"channel":"{}","url":"https://www.example.com/{:04x}/{:04x}/item)"
      R"(.htm?query=1","ts":{},"extra":"{:016x}{:016x}{:08x}"}})",
      auction, bidder, price, kChannels[bits & 3], (bits >> 2) & 0xffff, (bits >> 18) & 0xffff, ts,
      bits * 0x9e3779b97f4a7c15ULL, bits ^ 0x5bd1e9955bd1e995ULL, bits >> 32);
  return ts;
}

}  // namespace millrace
