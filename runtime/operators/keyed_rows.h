// A table of state rows with its blobs and its way into snapshots: what keyed operators build on. The row's key is the
// encoded user key behind a prefix of fixed width (a window, a pane; often none), the value a header and accumulators.
// The save function runs on the snapshot thread over frozen rows; everything else on the task's thread.
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

class KeyedRows {
 public:
  using Save = std::function<void(const char* row, ByteWriter& out)>;
  using Load = std::function<Status(char* row, ByteReader& in)>;

  KeyedRows(uint32_t value_bytes, size_t prefix_bytes)
      : state_(std::make_shared<State>(value_bytes)), prefix_bytes_(prefix_bytes) {}

  KeyedTable& table() { return state_->table; }
  BlobPool& blobs() { return state_->blobs; }
  [[nodiscard]] size_t rows() const { return state_->table.size(); }
  [[nodiscard]] size_t bytes() const { return state_->table.bytes() + state_->blobs.bytes(); }

  /// The user's key of a row.
  [[nodiscard]] std::string_view key(const char* row) const { return KeyedTable::key_of(row).substr(prefix_bytes_); }
  /// The same row, saved for open snapshots, so that it may be written.
  char* writable(char* row) {
    if (table().writable()) return row;
    return table().find(KeyedTable::hash_of(row), KeyedTable::key_of(row));
  }
  void erase(char* row) { table().erase(KeyedTable::hash_of(row), KeyedTable::key_of(row)); }

  SnapshotPartPtr snapshot(StateDescriptor descriptor, uint32_t max_parallelism, Save save) const;
  /// Rows arrive zero-filled at `load`.
  Status restore(const StateDescriptor& descriptor, const OperatorContext& context, const Load& load);

 private:
  struct State {
    explicit State(uint32_t bytes) : table(bytes, blobs) {}
    BlobPool blobs;
    KeyedTable table;
  };
  class Part;

  std::shared_ptr<State> state_;  // shared with parts of snapshots that are being written
  size_t prefix_bytes_;
};

}  // namespace millrace
