// bench_state KEYS ROWS uniform|zipf memory|rocksdb BUDGET_MB DIRECTORY: read-modify-write of a counter and a sum (16
// bytes) per key, in batches of 4,096 keys, through the table that running aggregates use; with `rocksdb` the rows that
// do not fit into the budget leave for the spill store. Prints one JSON line; making the keys is not counted, the
// background work of the store is.
#include <fmt/format.h>
#include <sys/resource.h>

#include <charconv>
#include <chrono>
#include <cmath>
#include <cstring>
#include <string>
#include <vector>

#include "core/file_system.h"
#include "core/hash.h"
#include "core/random.h"
#include "runtime/operators/keyed_rows.h"
#include "state/state_resources.h"

namespace millrace {
namespace {

struct Counter {
  int64_t count;
  int64_t sum;
};

double seconds_of(const timeval& time) {
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) * 1e-6;
}

double process_cpu_s() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return seconds_of(usage.ru_utime) + seconds_of(usage.ru_stime);
}

/// Zipf with exponent 0.99 by the method of Gray et al. (1994), as YCSB draws it.
class Zipf {
 public:
  explicit Zipf(uint64_t n) : n_(n) {
    for (uint64_t i = 1; i <= n; ++i) zeta_ += std::pow(1.0 / static_cast<double>(i), kTheta);
    const double zeta2 = 1 + std::pow(0.5, kTheta);
    eta_ = (1 - std::pow(2.0 / static_cast<double>(n), 1 - kTheta)) / (1 - zeta2 / zeta_);
  }
  uint64_t draw(Random& random) const {
    const double u = random.unit();
    const double uz = u * zeta_;
    if (uz < 1) return 0;
    if (uz < 1 + std::pow(0.5, kTheta)) return 1;
    const auto rank = static_cast<uint64_t>(static_cast<double>(n_) * std::pow(eta_ * u - eta_ + 1, 1 / (1 - kTheta)));
    return std::min(rank, n_ - 1);
  }

 private:
  static constexpr double kTheta = 0.99;
  uint64_t n_;
  double zeta_ = 0;
  double eta_ = 0;
};

struct Arguments {
  uint64_t keys = 0;
  uint64_t rows = 0;
  bool zipf = false;
  bool rocksdb = false;
  uint64_t budget_mb = 0;
  std::string directory;
};

/// The table that is measured, and its store.
struct Measured {
  std::unique_ptr<StateResources> resources;
  std::unique_ptr<TaskStore> store;
  KeyedRows rows{sizeof(Counter), 0};
};

Counter* counter(char* row) { return reinterpret_cast<Counter*>(row); }

Status open_measured(const Arguments& arguments, Measured& measured) {
  OperatorContext context;
  if (arguments.rocksdb) {
    measured.resources = std::make_unique<StateResources>(arguments.directory, arguments.budget_mb << 20);
    TaskStore::Config config;
    config.root = [&measured] { return measured.resources->directory(); };
    config.directory = "bench";
    config.instance = "bench";
    config.budget = measured.resources->budget();
    config.memory = measured.resources->memory();
    config.key_groups = context.key_groups;
    MR_ASSIGN(measured.store, TaskStore::make(std::move(config)));
    context.store = measured.store.get();
  }
  return measured.rows.back({"bench", "counters", StateKind::kKeyed, "counter"}, context,
                            {.save = [](const char* row, ByteWriter& out) { out.put_raw({row, sizeof(Counter)}); },
                             .load = [](char* row, ByteReader& in) -> Status {
                               counter(row)->count = in.get<int64_t>();
                               counter(row)->sum = in.get<int64_t>();
                               return {};
                             },
                             .drop = [](char*) {}});
}

/// Keys of the next batch, scattered: neighbours in rank are not neighbours in the store.
void draw_keys(const Arguments& arguments, const Zipf& zipf, Random& random, size_t count, EncodedKeys& keys) {
  keys.keys.clear();
  keys.hashes.clear();
  keys.bytes.resize(count * 9);
  for (size_t i = 0; i < count; ++i) {
    const uint64_t rank = arguments.zipf ? zipf.draw(random) : random.below(arguments.keys);
    const uint64_t key = rank * 0x9e3779b97f4a7c15ULL;
    char* at = keys.bytes.data() + i * 9;
    *at = 1;
    std::memcpy(at + 1, &key, sizeof key);
    keys.keys.emplace_back(at, 9);
  }
}

Status measure_state(const Arguments& arguments) {
  constexpr size_t kBatch = 4096;
  Measured measured;
  MR_TRY(open_measured(arguments, measured));
  const std::unique_ptr<TaskStore>& store = measured.store;
  SeededRandom random(1);
  const Zipf zipf(arguments.zipf ? arguments.keys : 2);
  EncodedKeys keys;
  std::vector<char*> values(kBatch);
  std::vector<uint8_t> inserted(kBatch);
  double cpu_s = 0;
  double wall_s = 0;
  for (uint64_t done = 0; done < arguments.rows; done += kBatch) {
    draw_keys(arguments, zipf, random, kBatch, keys);
    const auto begin = std::chrono::steady_clock::now();
    const double start = process_cpu_s();
    for (const std::string_view key : keys.keys) keys.hashes.push_back(hash64(key));
    MR_TRY(measured.rows.find_or_insert(keys, {}, values.data(), inserted.data()));
    for (char* value : values) {
      counter(value)->count += 1;
      counter(value)->sum += static_cast<int64_t>(done);
    }
    if (store) MR_TRY(store->balance());
    cpu_s += process_cpu_s() - start;
    wall_s += std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  }
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  fmt::print(
      "{{\"bench\": \"state\", \"backend\": \"{}\", \"keys\": {}, \"distribution\": \"{}\", \"budget_mb\": {}, "
      "\"events\": {}, \"wall_s\": {:.2f}, \"cpu_s\": {:.2f}, \"events_per_cpu_s\": {:.0f}, \"peak_rss_mb\": {}, "
      "\"disk_mb\": {}}}\n",
      arguments.rocksdb ? "rocksdb" : "memory", arguments.keys, arguments.zipf ? "zipf 0.99" : "uniform",
      arguments.rocksdb ? arguments.budget_mb : 0, arguments.rows, wall_s, cpu_s,
      static_cast<double>(arguments.rows) / cpu_s, usage.ru_maxrss / 1024,
      store && store->opened() != nullptr ? store->opened()->bytes() >> 20 : 0);
  return {};
}

uint64_t number_argument(const char* text) {
  uint64_t value = 0;
  std::from_chars(text, text + std::strlen(text), value);
  return value;
}

}  // namespace
}  // namespace millrace

int main(int argc, char** argv) {
  if (argc != 7) {
    fmt::print(stderr, "bench_state KEYS ROWS uniform|zipf memory|rocksdb BUDGET_MB DIRECTORY\n");
    return 2;
  }
  const millrace::Arguments arguments{millrace::number_argument(argv[1]),  millrace::number_argument(argv[2]),
                                      std::string_view(argv[3]) == "zipf", std::string_view(argv[4]) == "rocksdb",
                                      millrace::number_argument(argv[5]),  argv[6]};
  const millrace::Status measured = millrace::measure_state(arguments);
  if (!measured) fmt::print(stderr, "{}\n", measured.error().to_string());
  return measured ? 0 : 1;
}
