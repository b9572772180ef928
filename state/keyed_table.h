// The in-memory table behind all keyed state: open addressing over 64-bit hashes, rows of fixed width in pages that
// never move, variable-length parts as blobs. Keys are encoded by data/key_format.h; one worker thread owns the table.
//
// Copy on write: freeze() opens a view at a barrier; before the first write to a page afterwards the owner saves the
// old page into the view, so the live row pointers stay valid and another thread reads the frozen rows meanwhile. Row
// pointers handed out are for writing (their pages are saved first) and are valid until the row is erased; after a
// freeze() they must be looked up again before anything is written through them.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "data/key_format.h"
#include "state/blob_pool.h"

namespace millrace {

class KeyedTable;

/// Frozen content; read once by any one thread. Keeps blobs of the pool alive until destroyed; may outlive table and
/// pool.
class TableView {
 public:
  virtual ~TableView() = default;
  /// Visits every row of the moment of the freeze. `value` is the row's fixed part; blobs it names are readable.
  virtual void visit(const std::function<void(uint64_t hash, std::string_view key, const char* value)>& visitor) = 0;
};

class KeyedTable {
 public:
  /// `value_bytes` is rounded up to 16; rows are 16-byte aligned. The pool outlives the table.
  KeyedTable(uint32_t value_bytes, BlobPool& blobs);
  ~KeyedTable();
  KeyedTable(const KeyedTable&) = delete;
  KeyedTable& operator=(const KeyedTable&) = delete;

  /// For each index i in `which` (indexes into keys; all when empty): values[i] = the row of keys.keys[i], made with a
  /// zero-filled value and inserted[i] = 1 when it was absent. Probes with prefetch; the same key may repeat.
  void find_or_insert(const EncodedKeys& keys, std::span<const uint32_t> which, char** values, uint8_t* inserted);
  /// One key. nullptr when absent.
  char* find(uint64_t hash, std::string_view key);
  char* insert(uint64_t hash, std::string_view key, bool* inserted);
  /// False when absent. Blobs in the value are the caller's to release first.
  bool erase(uint64_t hash, std::string_view key);

  /// Row pointers from before may be written without looking them up again: no view is open.
  [[nodiscard]] bool writable() const;

  [[nodiscard]] static std::string_view key_of(const char* value);
  [[nodiscard]] static uint64_t hash_of(const char* value);

  // Which rows have changed, for owners that keep older versions of them in a spill store. Every write through find,
  // find_or_insert, insert and next_rows carries the epoch of its time.
  /// From now on writes are of a new epoch; answers the one that ends.
  uint16_t next_epoch();
  [[nodiscard]] uint16_t epoch() const;
  /// The row was written in an epoch behind `written`, up to which all are in the store. Epochs wrap around: a row that
  /// was untouched for 32,768 of them may count as changed, never the other way round.
  [[nodiscard]] static bool changed_since(const char* value, uint16_t written);
  /// An older version of the row may be in the store.
  [[nodiscard]] bool may_be_stored(const char* value) const;
  /// The row was filled from the store just after it was inserted.
  static void set_loaded(char* value);
  /// Says that a row was used since this was last asked. REQUIRES: no view is being read.
  [[nodiscard]] static bool take_used(char* value);
  /// A view may still be read: rows must not be marked.
  [[nodiscard]] bool being_read() const;
  /// Notes a write through a row pointer. REQUIRES: writable().
  void mark(char* value);

  /// Walks rows in a stable order: fills up to `rows.size()` row pointers from `cursor` on (0 at the start), returns
  /// how many; 0 = the end. Nothing may be inserted or erased during a walk.
  size_t next_rows(uint64_t& cursor, std::span<char*> rows);

  /// The same walk for reading only: an open view costs nothing.
  size_t peek_rows(uint64_t& cursor, std::span<const char*> rows) const;

  /// Room for so many rows more: they come without the index growing.
  void reserve(size_t more);
  [[nodiscard]] size_t size() const;
  [[nodiscard]] size_t bytes() const;
  /// Without pages that are free for other rows.
  [[nodiscard]] size_t used_bytes() const;
  void clear();

  std::unique_ptr<TableView> freeze();

  struct Impl;

 private:
  std::unique_ptr<Impl> impl_;
};

}  // namespace millrace
