// Keyed state on the local disk, below the tables in memory: sorted runs of rows in, batches of keys or ranges out. One
// store belongs to one task; it is a working copy that a checkpoint makes durable, so losing it costs a restore, never
// data. Any thread; a run is one thread's.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/status.h"
#include "state/snapshot.h"

namespace millrace {

/// Rows in ascending order of key, each key once; nothing of them is seen before finish() succeeded.
class SpillRun {
 public:
  virtual ~SpillRun() = default;
  virtual Status add(std::string_view key, std::string_view value) = 0;
  /// The key is gone, whatever older runs say.
  virtual Status erase(std::string_view key) = 0;
  virtual Status finish() = 0;
};

/// Rows of a range in ascending order, as of the moment when the cursor was made.
class SpillCursor {
 public:
  virtual ~SpillCursor() = default;
  [[nodiscard]] virtual bool valid() const = 0;
  virtual void next() = 0;
  [[nodiscard]] virtual std::string_view key() const = 0;
  [[nodiscard]] virtual std::string_view value() const = 0;
  /// Whether the end of the rows is the end of the range, and not of what could be read.
  [[nodiscard]] virtual Status status() const = 0;
};

/// The files that hold the content of one moment. They stay until this is destroyed.
class SpillCheckpoint {
 public:
  struct File {
    SnapshotFileKind kind = SnapshotFileKind::kShared;
    std::string name;
    std::string path;
  };
  virtual ~SpillCheckpoint() = default;
  [[nodiscard]] virtual const std::vector<File>& files() const = 0;
};

class SpillStore {
 public:
  virtual ~SpillStore() = default;
  virtual Result<std::unique_ptr<SpillRun>> begin_run() = 0;
  /// values[i] = the value of keys[i], or found[i] = 0.
  virtual Status load(std::span<const std::string_view> keys, std::vector<std::string>& values,
                      std::vector<uint8_t>& found) = 0;
  /// Keys in [begin, end).
  virtual std::unique_ptr<SpillCursor> scan(std::string begin, std::string end) const = 0;
  /// Forgets the keys in [begin, end): whole files at once, and what is left by a mark.
  virtual Status drop(std::string_view begin, std::string_view end) = 0;
  virtual Result<std::unique_ptr<SpillCheckpoint>> checkpoint() = 0;
  /// On disk, about.
  [[nodiscard]] virtual uint64_t bytes() const = 0;
  /// Rows, about.
  [[nodiscard]] virtual uint64_t rows() const = 0;
  /// Of the keys in [begin, end).
  [[nodiscard]] virtual uint64_t bytes(std::string_view begin, std::string_view end) const = 0;
};

/// What the stores of a process share: one cache, one limit for everything they keep in memory.
class SpillMemory {
 public:
  virtual ~SpillMemory() = default;
};
/// Below the floor a cache evicts its own index blocks and every read misses: 16 MiB are the least.
inline constexpr uint64_t kSpillCacheFloorBytes = 16ULL << 20;
std::shared_ptr<SpillMemory> make_spill_memory(uint64_t cache_bytes);

/// A store in `directory`, which is made and must be empty or absent. `instance` is never used twice in a job: names of
/// shared files begin with it. `files` are those of a checkpoint, to go on from.
struct SpillStoreOptions {
  std::string directory;
  std::string instance;
  std::shared_ptr<SpillMemory> memory;
  const RestoredState* from = nullptr;
  const RestoredStore* files = nullptr;
  bool read_only = false;
};
Result<std::unique_ptr<SpillStore>> open_spill_store(const SpillStoreOptions& options);

}  // namespace millrace
