// A table of state rows with its blobs and its way into snapshots: what keyed operators build on. The row's key is the
// encoded user key behind a prefix of fixed width (a window, a pane; often none), the value a header and accumulators.
// The save function runs on the snapshot thread over frozen rows; everything else on the task's thread.
//
// With back() the rows can leave memory (runtime/operators/backed_rows.h): a row that is not in the table is then
// looked for in the task's store, so row pointers are good until the operator's call returns, and rows must be asked
// for through KeyedRows, not through table().
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "core/bytes.h"
#include "core/hash.h"
#include "runtime/spi/operator.h"
#include "state/keyed_table.h"

namespace millrace {

class BackedRows;
class KeyTimers;

class KeyedRows {
 public:
  using Save = std::function<void(const char* row, ByteWriter& out)>;
  using Load = std::function<Status(char* row, ByteReader& in)>;
  using Drop = std::function<void(char* row)>;
  /// `drop` gives the row's blobs back. The rest is for owners that hold row pointers of their own: `load` and `drop`
  /// are told then when a row comes into memory and when it leaves.
  struct Codec {
    Save save;
    Load load;
    Drop drop;
    std::function<bool(const char* row)> stays = nullptr;  // it must not leave; null: all may
    KeyTimers* timers = nullptr;                           // those of rows that left
    size_t bytes_beside = 0;                               // what the owner keeps for each row in memory
  };

  KeyedRows(uint32_t value_bytes, size_t prefix_bytes);
  ~KeyedRows();
  KeyedRows(const KeyedRows&) = delete;
  KeyedRows& operator=(const KeyedRows&) = delete;

  KeyedTable& table() { return state_->table; }
  BlobPool& blobs() { return state_->blobs; }
  /// In memory.
  [[nodiscard]] size_t rows() const { return state_->table.size(); }
  [[nodiscard]] size_t bytes() const { return state_->table.bytes() + state_->blobs.bytes(); }

  /// The user's key of a row.
  [[nodiscard]] std::string_view key(const char* row) const { return KeyedTable::key_of(row).substr(prefix_bytes_); }
  /// The same row, saved for open snapshots, so that it may be written.
  char* writable(char* row) {
    if (!table().writable()) return table().find(KeyedTable::hash_of(row), KeyedTable::key_of(row));
    table().mark(row);
    return row;
  }

  // Like those of the table, over memory and store.
  Status find_or_insert(const EncodedKeys& keys, std::span<const uint32_t> which, char** values, uint8_t* inserted);
  /// nullptr: absent.
  Result<char*> find(uint64_t hash, std::string_view key);
  Result<char*> insert(uint64_t hash, std::string_view key, bool* inserted);
  void erase(char* row);

  /// Brings those of the keys' rows into memory that the store has.
  Status fetch(std::span<const std::string_view> keys);
  /// insert() of a key that was fetched within this call of the operator.
  char* insert_fetched(uint64_t hash, std::string_view key, bool* inserted);
  /// Whether rows may be in the store.
  [[nodiscard]] bool spilled() const;
  /// Within a long call, when no row is in hand: what is too much leaves memory.
  Status balance();
  /// After back(): the rows that a restored store holds, and that were not loaded.
  Status visit_held(const std::function<Status(std::string_view key, ByteReader& value)>& visit) const;

  SnapshotPartPtr snapshot(const StateDescriptor& descriptor, uint32_t max_parallelism, const Save& save);
  /// Rows arrive zero-filled at `load`.
  Status restore(const StateDescriptor& descriptor, const OperatorContext& context, const Load& load);

  /// Restores the rows, and lets them leave memory from now on where the context has a store. In open(); snapshots must
  /// name the same descriptor.
  Status back(const StateDescriptor& descriptor, const OperatorContext& context, Codec codec);

 private:
  friend class BackedRows;
  struct State {
    explicit State(uint32_t bytes) : table(bytes, blobs) {}
    BlobPool blobs;
    KeyedTable table;
  };
  class Part;

  std::shared_ptr<State> state_;  // shared with parts of snapshots that are being written
  size_t prefix_bytes_;
  std::unique_ptr<BackedRows> backed_;
  TaskStore* store_ = nullptr;
  bool holds_ = false;  // the restored store had the rows
};

}  // namespace millrace
