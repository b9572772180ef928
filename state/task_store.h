// A task's keyed state between memory and disk. The owners of tables register here; when the process holds more state
// than its budget, the task's worker asks them, between two steps of the chain, to move rows into the spill store. A
// snapshot of a task whose store is open first writes the rows changed since the last one into the store, then holds
// the store's files: what has not changed since is not written again.
//
// Key of a row in the store: 4 bytes of the state, `lead` bytes (of the snapshot key's beginning), `run` bytes, 2 bytes
// key group (big endian), the rest of the snapshot key.
//
// Invariant: between a barrier and the end of the write-back of its snapshot no newer row may enter the store, or the
// snapshot would hold it. Worker's thread, except where said.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "core/status.h"
#include "core/waker.h"
#include "data/key_format.h"
#include "plan/job_graph.h"
#include "state/spill_store.h"

namespace millrace {

/// What the keyed state of a process may hold in memory. Any thread.
struct StateBudget {
  int64_t limit_bytes = INT64_MAX;
  std::atomic<int64_t> used_bytes{0};
};

/// A state whose rows can leave memory.
class SpillableState {
 public:
  virtual ~SpillableState() = default;
  [[nodiscard]] virtual size_t memory_bytes() const = 0;
  /// Moves rows into the task's store until about `bytes` are free; answers how many are. 0: not now.
  virtual Result<size_t> spill(size_t bytes) = 0;
};

struct SpilledStateKey {
  uint32_t lead_bytes = 0;
  uint32_t run_bytes = 0;
};

/// What a store's meta file says of a state.
struct SpilledState {
  StateDescriptor state;
  SpilledStateKey key;
  uint64_t rows = 0;   // about; 0 only when there are none
  uint64_t bytes = 0;  // on disk, about
};

/// The name of a store's meta file, and what it says: the key groups of the task and its states.
inline constexpr std::string_view kSpillMetaFile = "STATES";
struct SpillMeta {
  KeyGroupRange key_groups;
  std::vector<SpilledState> states;
};
class TaskStore {
 public:
  struct Config {
    StateBackend backend = StateBackend::kAuto;
    std::string directory;                      // of this task alone, made when something spills
    std::function<Result<std::string>()> root;  // asked then; `directory` lies below it
    std::string instance;                       // never used twice in a job
    std::shared_ptr<StateBudget> budget;
    std::shared_ptr<SpillMemory> memory;
    KeyGroupRange key_groups;
    Waker* waker = nullptr;  // of the worker: told when a snapshot's write-back has ended
    const RestoredState* restored = nullptr;
  };
  static Result<std::unique_ptr<TaskStore>> make(Config config);
  ~TaskStore();
  TaskStore(const TaskStore&) = delete;
  TaskStore& operator=(const TaskStore&) = delete;

  /// Registers a state; its rows in the store begin with the answer. A state that the restored store has `holds` its
  /// rows at once: they need not be visited.
  struct Registered {
    std::string prefix;
    bool holds = false;
  };
  Result<Registered> add(const StateDescriptor& state, SpilledStateKey key, SpillableState& owner);
  void remove(SpillableState& owner);
  /// The prefix of rows that are of this run only: no restored store has any.
  Result<std::string> add_scratch(const StateDescriptor& state, std::string_view name);

  /// All states are registered: what the restored store holds beside them is dropped.
  Status registered();

  /// Opened at the first call.
  Result<SpillStore*> open();
  /// Null: nothing was spilled yet.
  [[nodiscard]] SpillStore* opened() const { return store_.get(); }
  [[nodiscard]] const std::shared_ptr<SpillStore>& shared() const { return store_; }

  /// Counts memory, and spills what is over the budget. Between two steps of the chain.
  Status balance();
  /// The same for one state only, for owners in the midst of a long call: the others may have rows in hand.
  Status balance(SpillableState& owner);
  /// A snapshot is still writing rows back: nothing may be spilled.
  [[nodiscard]] bool writing_back() const { return writing_back_->load(std::memory_order_acquire) > 0; }
  /// So far over the budget that the task must not take more rows before the write-back has ended.
  [[nodiscard]] bool must_wait() const;
  /// The last part of a task's snapshot; null while nothing was spilled. From now on until it was written or dropped
  /// the store is writing_back().
  Result<SnapshotPartPtr> snapshot();
  [[nodiscard]] KeyGroupRange key_groups() const { return config_.key_groups; }
  /// What may be buffered before a run is written.
  [[nodiscard]] size_t buffer_bytes() const;

 private:
  class Part;
  struct Owner {
    SpilledState state;
    std::string prefix;
    SpillableState* owner = nullptr;
  };
  explicit TaskStore(Config config);
  struct Candidate {
    RestoredStore files;
    SpillMeta meta;
  };
  Status find_candidates();
  Status open_store(const RestoredStore* files);
  Status go_on_from(const Candidate& candidate);
  Status drop_all(const std::string& prefix);
  int64_t count_owners();
  void count(int64_t bytes);

  Config config_;
  std::shared_ptr<SpillStore> store_;  // shared with parts of snapshots
  std::vector<Owner> owners_;
  std::vector<std::string> scratch_;   // prefixes
  std::vector<Candidate> candidates_;  // stores of a checkpoint that may be this task's former ones
  std::vector<SpilledState> held_;     // by the store that was restored
  std::shared_ptr<std::atomic<int>> writing_back_ = std::make_shared<std::atomic<int>>(0);
  int64_t counted_bytes_ = 0;
  uint64_t calls_ = 0;
};

std::string encode_spill_meta(const SpillMeta& meta);
Result<SpillMeta> decode_spill_meta(const RestoredStore& store);
std::string spill_prefix(const StateDescriptor& state);

/// 2 bytes, big endian.
inline void put_key_group(uint32_t group, char* into) {
  into[0] = static_cast<char>(group >> 8);
  into[1] = static_cast<char>(group);
}
/// The smallest key behind all keys that begin with `prefix`. REQUIRES: not all bytes are 0xff.
std::string behind_prefix(std::string prefix);

}  // namespace millrace
