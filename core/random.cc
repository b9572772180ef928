#include "core/random.h"

#include <sys/random.h>

#include <bit>
#include <cerrno>

#include "core/status.h"

namespace millrace {
namespace {

uint64_t splitmix64(uint64_t& state) {
  uint64_t z = (state += 0x9e3779b97f4a7c15);
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
  z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
  return z ^ (z >> 31);
}

class KernelRandom final : public Random {
 public:
  uint64_t next() override {
    uint64_t value = 0;
    ssize_t got;
    do {
      got = getrandom(&value, sizeof value, 0);
    } while (got < 0 && errno == EINTR);
    MR_CHECK(got == sizeof value, "getrandom failed");  // never partial for 8 bytes
    return value;
  }
};

}  // namespace

SeededRandom::SeededRandom(uint64_t seed) {
  for (uint64_t& word : state_) word = splitmix64(seed);
}

uint64_t SeededRandom::next() {
  const uint64_t result = std::rotl(state_[1] * 5, 7) * 9;
  const uint64_t t = state_[1] << 17;
  state_[2] ^= state_[0];
  state_[3] ^= state_[1];
  state_[1] ^= state_[2];
  state_[0] ^= state_[3];
  state_[2] ^= t;
  state_[3] = std::rotl(state_[3], 45);
  return result;
}

Random& system_random() {
  static KernelRandom random;
  return random;
}

}  // namespace millrace
