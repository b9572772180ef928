// bench_state_checkpoint build DIRECTORY KEYS MEMORY_MB INTERVALS: a keyed state of 100-byte rows (key 9, value 91) on
// RocksDB, of which every interval updates 1 % uniformly while an incremental checkpoint is taken by the parts, files
// and uploads that a task manager uses. One JSON line per interval; then the process kills itself.
// bench_state_checkpoint restore DIRECTORY KEYS MEMORY_MB: from the start of the process to the first rows.
// The rows are loaded as sorted runs; checkpoints lie in DIRECTORY/checkpoints, on the disk of the store.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <future>
#include <string>
#include <vector>

#include "core/file_system.h"
#include "core/hash.h"
#include "core/random.h"
#include "runtime/operators/keyed_rows.h"
#include "state/checkpoint_store.h"
#include "state/snapshot_file.h"
#include "state/state_resources.h"

namespace millrace {
namespace {

using SteadyTime = std::chrono::steady_clock::time_point;

constexpr size_t kKeyBytes = 9;
constexpr size_t kValueBytes = 91;
constexpr size_t kBatch = 4096;
constexpr uint32_t kGroups = 128;
const StateDescriptor kState{"bench", "rows", StateKind::kKeyed, "row"};

struct Row {
  int64_t updates;
  char rest[kValueBytes - sizeof(int64_t)];
};

struct Arguments {
  bool restore = false;
  std::string directory;
  uint64_t keys = 0;
  uint64_t memory_mb = 0;
  uint64_t intervals = 0;
};

double seconds_since(SteadyTime begin) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

/// Of this thread: what others on the machine do does not count.
double thread_cpu_s() {
  timespec now{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

/// Since the last call; the kernel forgets the peak when it is asked to.
uint64_t peak_rss_mb() {
  FileSystem& fs = local_file_system();
  const std::string status = fs.read_all("/proc/self/status").value_or("");
  const size_t at = status.find("VmHWM:");
  uint64_t kb = 0;
  if (at != std::string::npos) {
    const size_t digits = status.find_first_of("0123456789", at);
    std::from_chars(status.data() + digits, status.data() + status.size(), kb);
  }
  if (std::FILE* forget = std::fopen("/proc/self/clear_refs", "w")) {
    std::fputs("5", forget);
    std::fclose(forget);
  }
  return kb >> 10;
}

/// As the encoded key of a BIGINT; scattered, and half of the value does not compress.
void write_key(uint64_t number, char* key) {
  const uint64_t scattered = number * 0x9e3779b97f4a7c15ULL;
  *key = 1;
  std::memcpy(key + 1, &scattered, sizeof scattered);
}
void write_value(std::string_view key, int64_t updates, char* value) {
  std::memcpy(value, &updates, sizeof updates);
  std::memset(value + sizeof updates, 'x', kValueBytes - sizeof updates);
  for (size_t i = 1; i < 6; ++i) {
    const uint64_t noise = hash64(key) * (2 * i + 1);
    std::memcpy(value + i * sizeof noise, &noise, sizeof noise);
  }
}

/// A task's keyed state, as a task manager builds it.
struct BenchTask {
  StateResources resources;
  std::unique_ptr<TaskStore> store;
  KeyedRows rows{kValueBytes, 0};

  explicit BenchTask(const Arguments& arguments)
      : resources(join_path(arguments.directory, "state"), arguments.memory_mb << 20) {}

  Status open(const RestoredState* restored, const std::string& instance) {
    OperatorContext context;
    context.restored = restored;
    TaskStore::Config config;
    config.backend = StateBackend::kRocksdb;
    config.root = [this] { return resources.directory(); };
    config.directory = "bench";
    config.instance = instance;
    config.budget = resources.budget();
    config.memory = resources.memory();
    config.key_groups = {0, kGroups};
    config.restored = restored;
    MR_ASSIGN(store, TaskStore::make(std::move(config)));
    context.store = store.get();
    context.key_groups = {0, kGroups};
    context.max_parallelism = kGroups;
    MR_TRY(rows.back(kState, context,
                     {.save = [](const char* row, ByteWriter& out) { out.put_raw({row, kValueBytes}); },
                      .load = [](char* row, ByteReader& in) -> Status {
                        const std::string_view bytes = in.get_raw(kValueBytes);
                        std::memcpy(row, bytes.data(), bytes.size());
                        return {};
                      },
                      .drop = [](char*) {}}));
    return store->registered();
  }

  /// Counts one more update of each key; `found`: all had been there.
  Status update(const EncodedKeys& keys, bool& found) {
    std::vector<char*> values(keys.keys.size());
    std::vector<uint8_t> inserted(keys.keys.size());
    MR_TRY(rows.find_or_insert(keys, {}, values.data(), inserted.data()));
    found = std::ranges::find(inserted, 1) == inserted.end();
    for (char* value : values) reinterpret_cast<Row*>(value)->updates += 1;
    return store->balance();
  }
};

void draw_keys(uint64_t among, Random& random, EncodedKeys& keys) {
  keys.keys.clear();
  keys.hashes.clear();
  keys.bytes.resize(kBatch * kKeyBytes);
  for (size_t i = 0; i < kBatch; ++i) {
    char* at = keys.bytes.data() + i * kKeyBytes;
    write_key(random.below(among), at);
    keys.keys.emplace_back(at, kKeyBytes);
    keys.hashes.push_back(hash64(keys.keys.back()));
  }
}

/// Rows of key groups [first, last) as a run, sorted.
Status load_groups(SpillStore& store, uint64_t keys, uint32_t first, uint32_t last) {
  std::vector<std::string> rows;
  std::array<char, kKeyBytes> key{};
  std::array<char, kValueBytes> value{};
  for (uint64_t number = 0; number < keys; ++number) {
    write_key(number, key.data());
    const uint32_t group = key_group_of(hash64({key.data(), key.size()}), kGroups);
    if (group < first || group >= last) continue;
    std::string& row = rows.emplace_back();
    row.push_back(static_cast<char>(group >> 8));
    row.push_back(static_cast<char>(group));
    row.append(key.data(), key.size());
  }
  std::ranges::sort(rows);
  const std::string prefix = spill_prefix(kState);
  MR_ASSIGN(const auto run, store.begin_run());
  for (const std::string& row : rows) {
    write_value(std::string_view(row).substr(2), 0, value.data());
    MR_TRY(run->add(prefix + row, {value.data(), value.size()}));
  }
  return run->finish();
}

/// The loaded store's files, as TaskStore adds them.
class StorePart final : public SnapshotPart {
 public:
  explicit StorePart(SpillStore& store) : store_(store) {}
  Status write(SnapshotWriter& writer) override {
    MR_ASSIGN(const auto checkpoint, store_.checkpoint());
    const std::string path = join_path(parent_path(parent_path(checkpoint->files().front().path)), "meta");
    const SpillMeta meta{{0, kGroups}, {{kState, {0, 0}, store_.rows(), store_.bytes()}}};
    MR_TRY(write_file_durably(local_file_system(), path, encode_spill_meta(meta)));
    MR_TRY(writer.add_file(SnapshotFileKind::kOwn, std::string(kSpillMetaFile), path));
    for (const auto& file : checkpoint->files()) MR_TRY(writer.add_file(file.kind, file.name, file.path));
    return {};
  }

 private:
  SpillStore& store_;
};

class Bench {
 public:
  explicit Bench(Arguments arguments) : arguments_(std::move(arguments)) {}

  Status build() {
    MR_TRY(open_checkpoints());
    MR_TRY(load());
    MR_ASSIGN(const auto restored, restore_newest());
    BenchTask task(arguments_);
    MR_TRY(task.open(restored.get(), "first"));
    (void)peak_rss_mb();
    for (uint64_t i = 1; i <= arguments_.intervals; ++i) MR_TRY(interval(task, i));
    return std::raise(SIGKILL) == 0 ? Status{} : make_error(ErrorCode::kInternal, "the process cannot kill itself");
  }

  Status restore() {
    const auto begin = std::chrono::steady_clock::now();
    MR_TRY(open_checkpoints());
    MR_ASSIGN(const auto restored, restore_newest());
    BenchTask task(arguments_);
    MR_TRY(task.open(restored.get(), "second"));
    SeededRandom random(7);
    EncodedKeys keys;
    draw_keys(arguments_.keys, random, keys);
    bool found = false;
    MR_TRY(task.update(keys, found));
    const double first_s = seconds_since(begin);
    uint64_t updates = 0;
    for (; seconds_since(begin) < first_s + 5; updates += kBatch) {
      draw_keys(arguments_.keys, random, keys);
      MR_TRY(task.update(keys, found));
    }
    fmt::print(
        "{{\"bench\": \"state-large\", \"phase\": \"restore\", \"keys\": {}, \"memory_mb\": {}, "
        "\"first_rows_s\": {:.3f}, \"all_found\": {}, \"updates_per_s\": {:.0f}, \"state_mb\": {}, "
        "\"peak_rss_mb\": {}}}\n",
        arguments_.keys, arguments_.memory_mb, first_s, found, static_cast<double>(updates) / 5,
        task.store->opened()->bytes() >> 20, peak_rss_mb());
    return {};
  }

 private:
  struct Written {
    Status status;
    SnapshotHandle handle;
    double seconds = 0;
  };

  Status open_checkpoints() {
    OpenJob job;
    job.root = join_path(arguments_.directory, "checkpoints");
    job.name = "bench";
    job.spec = "version: 1\n";
    job.max_parallelism = kGroups;
    MR_ASSIGN(checkpoints_, CheckpointStore::open(local_file_system(), system_random(), system_clock(), job));
    uploads_ = std::make_unique<SharedUploads>(local_file_system(), local_file_system(), checkpoints_->directory());
    return {};
  }

  Result<std::shared_ptr<const RestoredSnapshots>> restore_newest() {
    MR_ASSIGN(const std::optional<CheckpointMetadata> newest, checkpoints_->newest());
    if (!newest) return make_error(ErrorCode::kMissingState, "there is no checkpoint to restore");
    uploads_->restored(newest->handles);
    return RestoredSnapshots::open(local_file_system(), checkpoints_->directory(), newest->handles, kGroups);
  }

  /// A store of all rows in runs that do not overlap, and a checkpoint of it.
  Status load() {
    const auto begin = std::chrono::steady_clock::now();
    SpillStoreOptions options;
    options.directory = join_path(arguments_.directory, "load");
    options.instance = "load";
    options.memory = make_spill_memory(0);
    MR_ASSIGN(const auto store, open_spill_store(options));
    constexpr uint64_t kRunRows = 4'000'000;
    const auto runs = static_cast<uint32_t>(std::clamp<uint64_t>(arguments_.keys / kRunRows, 1, kGroups));
    for (uint32_t run = 0; run < runs; ++run) {
      MR_TRY(load_groups(*store, arguments_.keys, run * kGroups / runs, (run + 1) * kGroups / runs));
    }
    const double loaded_s = seconds_since(begin);
    std::vector<SnapshotPartPtr> parts;
    parts.push_back(std::make_unique<StorePart>(*store));
    MR_ASSIGN(last_, checkpoints_->reserve_checkpoint_id());
    const Written written = write(last_, std::move(parts));
    MR_TRY(written.status);
    fmt::print(
        "{{\"bench\": \"state-large\", \"phase\": \"load\", \"keys\": {}, \"memory_mb\": {}, \"load_s\": {:.1f}, "
        "\"first_checkpoint_s\": {:.1f}, \"raw_mb\": {}, \"state_mb\": {}}}\n",
        arguments_.keys, arguments_.memory_mb, loaded_s, written.seconds,
        arguments_.keys * (kKeyBytes + kValueBytes) >> 20, store->bytes() >> 20);
    std::fflush(stdout);
    return {};
  }

  /// As the snapshot thread of a task manager does.
  Written write(int64_t id, std::vector<SnapshotPartPtr> parts) {
    const auto begin = std::chrono::steady_clock::now();
    Written written;
    SnapshotFileWriter writer(local_file_system(), checkpoints_->directory(), snapshot_file_name(id, 1, {}), kGroups,
                              uploads_.get());
    for (const SnapshotPartPtr& part : parts) {
      written.status = part->write(writer);
      if (!written.status) return written;
    }
    auto handle = writer.finish({});
    if (!handle) {
      written.status = std::unexpected(handle.error());
      return written;
    }
    uploads_->snapshot_written(id, *handle);
    written.handle = *handle;
    written.status = checkpoints_->complete(id, false, {std::move(*handle)});
    if (written.status) uploads_->checkpoint_completed(id);
    written.seconds = seconds_since(begin);
    return written;
  }

  /// A checkpoint begins with the interval; its updates go on meanwhile and for as long as they take. Pairs of figures
  /// are of the updates while it is being written, and of those afterwards.
  Status interval(BenchTask& task, uint64_t number) {
    MR_ASSIGN(const int64_t id, checkpoints_->reserve_checkpoint_id());
    const auto begin = std::chrono::steady_clock::now();
    std::vector<SnapshotPartPtr> parts;
    parts.push_back(task.rows.snapshot(kState, kGroups, {}));
    MR_ASSIGN(SnapshotPartPtr files, task.store->snapshot());
    parts.push_back(std::move(files));
    const double sync_s = seconds_since(begin);
    auto writing = std::async(std::launch::async,
                              [this, id, taken = std::move(parts)]() mutable { return write(id, std::move(taken)); });
    Rate during;
    Rate after;
    double waited_s = 0;
    EncodedKeys keys;
    for (uint64_t updated = 0; updated < arguments_.keys / 100; updated += kBatch) {
      const bool running = writing.wait_for(std::chrono::seconds(0)) != std::future_status::ready;
      while (task.store->must_wait()) {
        const auto wait = std::chrono::steady_clock::now();
        writing.wait_for(std::chrono::milliseconds(5));
        waited_s += seconds_since(wait);
      }
      const auto start = std::chrono::steady_clock::now();
      const double start_cpu_s = thread_cpu_s();
      draw_keys(arguments_.keys, random_, keys);
      bool found = false;
      MR_TRY(task.update(keys, found));
      if (!found) return make_error(ErrorCode::kInternal, "a row is lost");
      (running ? during : after).add(seconds_since(start), thread_cpu_s() - start_cpu_s);
    }
    const Written written = writing.get();
    MR_TRY(written.status);
    fmt::print(
        "{{\"bench\": \"state-large\", \"phase\": \"checkpoint {}\", \"sync_ms\": {:.2f}, \"duration_s\": {:.2f}, "
        "\"full_mb\": {}, \"written_mb\": {}, \"updates_per_s\": [{:.0f}, {:.0f}], "
        "\"updates_per_worker_cpu_s\": [{:.0f}, {:.0f}], \"waited_s\": {:.2f}, \"peak_rss_mb\": {}}}\n",
        number, sync_s * 1000, written.seconds, written.handle.full_bytes() >> 20, written.handle.written >> 20,
        during.per_s(), after.per_s(), during.per_cpu_s(), after.per_cpu_s(), waited_s, peak_rss_mb());
    std::fflush(stdout);
    MR_TRY(checkpoints_->remove(last_));
    last_ = id;
    return {};
  }

  struct Rate {
    double seconds = 0;
    double cpu_s = 0;
    double updates = 0;
    void add(double more_s, double more_cpu_s) {
      seconds += more_s;
      cpu_s += more_cpu_s;
      updates += kBatch;
    }
    [[nodiscard]] double per_s() const { return seconds == 0 ? 0 : updates / seconds; }
    [[nodiscard]] double per_cpu_s() const { return cpu_s == 0 ? 0 : updates / cpu_s; }
  };

  Arguments arguments_;
  std::unique_ptr<CheckpointStore> checkpoints_;
  std::unique_ptr<SharedUploads> uploads_;
  SeededRandom random_{1};
  int64_t last_ = 0;
};

uint64_t number_argument(const char* text) {
  uint64_t value = 0;
  std::from_chars(text, text + std::strlen(text), value);
  return value;
}

}  // namespace
}  // namespace millrace

int main(int argc, char** argv) {
  const bool restore = argc == 5 && std::string_view(argv[1]) == "restore";
  if (!restore && !(argc == 6 && std::string_view(argv[1]) == "build")) {
    fmt::print(stderr,
               "bench_state_checkpoint build DIRECTORY KEYS MEMORY_MB INTERVALS | restore DIRECTORY KEYS MEMORY_MB\n");
    return 2;
  }
  millrace::Bench bench({restore, argv[2], millrace::number_argument(argv[3]), millrace::number_argument(argv[4]),
                         restore ? 0 : millrace::number_argument(argv[5])});
  const millrace::Status done = restore ? bench.restore() : bench.build();
  if (!done) fmt::print(stderr, "{}\n", done.error().to_string());
  return done ? 0 : 1;
}
