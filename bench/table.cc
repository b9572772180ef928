// Cost of the keyed table: read-modify-write of a counter in batches of 4096 random keys. Prints one JSON line per
// size: keys, rows, ns_per_row (CPU time, best of ten rounds).
#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <ctime>

#include "core/hash.h"
#include "core/random.h"
#include "state/keyed_table.h"

namespace millrace {

namespace {

double thread_cpu_ns() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) * 1e9 + static_cast<double>(now.tv_nsec);
}

void measure_table(uint64_t key_count) {
  constexpr size_t kBatch = 4096;
  constexpr size_t kBatches = 200;
  SeededRandom random(1);
  std::vector<std::string> texts;
  for (uint64_t i = 0; i < key_count; ++i) {
    std::string key(9, '\1');
    std::memcpy(key.data() + 1, &i, sizeof i);
    texts.push_back(key);
  }
  BlobPool blobs;
  KeyedTable table(32, blobs);
  EncodedKeys keys;
  for (const std::string& text : texts) table.insert(hash64(text), text, nullptr);
  std::vector<char*> values(kBatch);
  std::vector<uint8_t> inserted(kBatch);
  double best = 1e18;  // of several rounds: the machine may be busy with other work
  for (int round = 0; round < 10; ++round) {
    double spent = 0;
    for (size_t b = 0; b < kBatches; ++b) {
      keys.keys.clear();
      keys.hashes.clear();
      keys.bytes.clear();
      keys.bytes.reserve(kBatch * 9);
      for (size_t i = 0; i < kBatch; ++i) {
        const std::string& text = texts[random.below(key_count)];
        keys.bytes.append(text);
        keys.keys.emplace_back(keys.bytes.data() + keys.bytes.size() - text.size(), text.size());
        keys.hashes.push_back(hash64(text));
      }
      const double start = thread_cpu_ns();
      table.find_or_insert(keys, {}, values.data(), inserted.data());
      for (char* value : values) {
        auto* count = reinterpret_cast<uint64_t*>(value);
        count[0] += 1;
        count[1] += b;
      }
      spent += thread_cpu_ns() - start;
    }
    best = std::min(best, spent);
  }
  fmt::print("{{\"bench\": \"table\", \"keys\": {}, \"rows\": {}, \"ns_per_row\": {:.1f}}}\n", key_count,
             kBatch * kBatches, best / static_cast<double>(kBatch * kBatches));
}

}  // namespace

}  // namespace millrace

int main() {
  for (const uint64_t keys : {1'000, 10'000, 100'000, 1'000'000}) millrace::measure_table(keys);
  return 0;
}
