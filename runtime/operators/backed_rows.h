// The way of a KeyedRows' rows between the table in memory and the task's store. A row is in one of three states:
// changed (only the table has its newest version), clean (the store has it too: it may leave memory for nothing), or in
// the store alone. All changed rows enter the store in one sorted run, at a snapshot, and over the budget when too few
// rows are clean and were not used lately. Worker's thread; a snapshot's part writes its run on the snapshot thread.
#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "runtime/operators/keyed_rows.h"
#include "state/spill_buffer.h"
#include "state/task_store.h"

namespace millrace {

class BackedRows final : public SpillableState {
 public:
  BackedRows(KeyedRows& rows, TaskStore& store, uint32_t max_parallelism, KeyedRows::Codec codec);
  ~BackedRows() override;
  BackedRows(const BackedRows&) = delete;
  BackedRows& operator=(const BackedRows&) = delete;

  /// True: the store that was restored holds the rows already.
  Result<bool> open(const StateDescriptor& descriptor);

  /// Fills the rows that were just inserted into the table from the store: inserted[i] = 0 where it had them.
  Status load(const EncodedKeys& keys, std::span<const uint32_t> which, char** values, uint8_t* inserted);
  Status load_one(uint64_t hash, std::string_view key, char* row, bool& inserted);
  /// Brings in the rows of those keys that are in the store and not in the table.
  Status fetch(std::span<const std::string_view> keys);
  /// Reads the store through.
  Status visit(const std::function<Status(std::string_view key, ByteReader& value)>& visit) const;
  /// A key that was just inserted into the table may have been erased before: what the store has of it is not its past.
  bool came_back(std::string_view key, char* row);
  /// Whether a key that is not in the table may be in the store.
  [[nodiscard]] bool may_hold() const { return spilled_; }
  /// The row is about to be erased for good.
  void forget(const char* row);

  /// Null while nothing was spilled: the snapshot then holds the rows themselves.
  SnapshotPartPtr snapshot();

  [[nodiscard]] size_t memory_bytes() const override;
  Result<size_t> spill(size_t bytes) override;

 private:
  class Part;
  // What a part shares with its owner.
  struct Shared {
    std::atomic<uint16_t> written{0};  // changes up to this epoch are in the store
  };

  [[nodiscard]] std::string store_key(uint64_t hash, std::string_view key) const;
  static void add_row(SpillBuffer& buffer, std::string_view prefix, size_t lead, uint32_t group, std::string_view key,
                      std::string_view value);
  Status fill(char* row, std::string_view value);
  Status write_back();
  bool pick(size_t wanted, std::vector<char*>& leaving);
  void evict(std::vector<char*>& rows);
  [[nodiscard]] uint32_t group_of(uint64_t hash, std::string_view key) const;

  KeyedRows& rows_;
  TaskStore& store_;
  uint32_t max_parallelism_;
  KeyedRows::Codec codec_;
  std::string prefix_;
  bool spilled_ = false;  // the store has, or had, rows of this state
  std::shared_ptr<Shared> shared_ = std::make_shared<Shared>();
  // Erased keys of which the store has older versions, with the epoch of the erasure.
  struct KeyHash {
    using is_transparent = void;
    size_t operator()(std::string_view key) const { return hash64(key); }
  };
  std::unordered_map<std::string, uint16_t, KeyHash, std::equal_to<>> erased_;
  uint64_t hand_ = 0;  // where the next look for rows to spill begins
  std::vector<std::string> found_values_;
  std::vector<uint8_t> found_;
};

}  // namespace millrace
