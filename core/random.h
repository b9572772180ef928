// Randomness behind an interface: seeded in tests and generators, from the kernel in production.
#pragma once

#include <cstdint>

namespace millrace {

class Random {
 public:
  virtual ~Random() = default;
  virtual uint64_t next() = 0;
  /// Uniform in [0, bound); bound > 0.
  uint64_t below(uint64_t bound) { return static_cast<uint64_t>((static_cast<unsigned __int128>(next()) * bound) >> 64); }
  /// Uniform in [0, 1).
  double unit() { return static_cast<double>(next() >> 11) * 0x1.0p-53; }
};

/// xoshiro256** seeded through splitmix64 (Blackman and Vigna, 2018): the same numbers for a seed on every machine.
class SeededRandom final : public Random {
 public:
  explicit SeededRandom(uint64_t seed);
  uint64_t next() override;

 private:
  uint64_t state_[4];
};

/// getrandom(2); any thread.
Random& system_random();

}  // namespace millrace
