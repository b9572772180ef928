// State of key_window_operator: rows of (window, key), the sessions of each key, timers in order of time.
// Invariant: a row has exactly one timer, at or before the time at which something must happen to it.
//
// The first part of a row's key is the window's start, or for a session the smallest number that no other session of
// the key has. Rows may leave memory; of sessions only number 0 does, and only while it is the key's only one, so that
// a key without a session in memory has at most that one.
#pragma once

#include <memory>
#include <utility>
#include <vector>

#include "runtime/operators/aggregate_row.h"
#include "runtime/operators/keyed_rows.h"
#include "runtime/operators/row_timers.h"
#include "runtime/operators/window/output.h"
#include "runtime/operators/window/trigger.h"

namespace millrace {

/// Stands before the accumulators in a state row.
struct KeyWindow {
  int64_t start;
  int64_t end;
  int64_t next_fire;  // of emit_early_every; kNoTime: none
  int64_t timer;
  int64_t closed;  // its end was reached: waits for late rows only
  int64_t filled;  // rows came since the last purge
  TriggerState trigger;
};
inline constexpr int64_t kNoTime = INT64_MIN;
inline constexpr uint32_t kKeyWindowBytes = sizeof(KeyWindow);
static_assert(kKeyWindowBytes % 16 == 0);

class KeyWindows {
 public:
  KeyWindows(std::shared_ptr<AggregateRow> aggregates, bool merging);

  static KeyWindow& window(char* row) { return *reinterpret_cast<KeyWindow*>(row); }
  static char* accumulators(char* row) { return row + kKeyWindowBytes; }
  [[nodiscard]] std::string_view key(const char* row) const { return rows_.key(row); }

  [[nodiscard]] bool spilled() const { return rows_.spilled(); }
  /// Names the row of a fixed window, or of a key's only session (start 0), for fetch().
  static void append_row_key(int64_t start, std::string_view key, std::string& out);
  /// Brings rows into memory; open() and merged_bounds() expect it of theirs within the same call of the operator.
  Status fetch(std::span<const std::string_view> row_keys) { return rows_.fetch(row_keys); }
  Status balance() { return rows_.balance(); }

  /// The row of a fixed window, made when absent.
  char* open(uint64_t hash, std::string_view key, WindowBounds bounds);
  /// What a session [bounds) would become, and how many sessions it touches.
  WindowBounds merged_bounds(uint64_t hash, std::string_view key, WindowBounds bounds, size_t& touched);
  /// Makes that session: merges the touched ones. REQUIRES: no update is pending when it touches several.
  char* open_session(uint64_t hash, std::string_view key, WindowBounds merged);

  void set_timer(char* row, int64_t time);
  [[nodiscard]] int64_t next_timer() const { return timers_.next(); }
  Result<bool> has_timer(int64_t until) { return timers_.due(until); }
  /// Takes the first timer, sets `time` to its own, and answers its row, ready for writing.
  char* pop_timer(int64_t& time);

  /// Empties the accumulators, the window stays.
  void purge(char* row);
  void erase(char* row);

  SnapshotPartPtr snapshot(const StateDescriptor& state, uint32_t max_parallelism);
  /// Restores. due(window): when something has to happen to it; asked for whenever a row comes into memory.
  Status back(const StateDescriptor& state, const OperatorContext& context,
              std::function<int64_t(const KeyWindow&)> due);

  BlobPool& blobs() { return rows_.blobs(); }
  [[nodiscard]] size_t rows() const { return rows_.rows(); }
  [[nodiscard]] size_t bytes() const { return rows_.bytes() + index_.bytes() + index_blobs_.bytes(); }

 private:
  struct Interval {
    int64_t start;
    int64_t end;
    char* row;
  };
  /// The sessions of a key: the first one here, because mostly it is the only one, the others in a blob.
  struct IndexEntry {
    Interval first;
    BlobRef others;
  };
  char* make_row(int64_t id, std::string_view key, WindowBounds bounds);
  [[nodiscard]] KeyedRows::Codec codec();
  static void save_window(const KeyWindow& window, ByteWriter& out);
  static void load_window(ByteReader& in, KeyWindow& window);
  Status load_row(char* row, ByteReader& in);
  void leave(char* row);
  [[nodiscard]] bool stays(const char* row);
  Status settle_sessions();
  [[nodiscard]] int64_t free_number() const;
  void read_sessions(uint64_t hash, std::string_view key);
  void write_sessions(uint64_t hash, std::string_view key);
  void drop_timer(char* row);

  std::shared_ptr<AggregateRow> aggregates_;
  bool merging_;
  KeyedRows rows_;
  BlobPool index_blobs_;
  KeyedTable index_;       // key -> IndexEntry; rebuilt on restore
  char* entry_ = nullptr;  // of the key in work, when it has one
  RowTimers timers_{rows_};
  std::function<int64_t(const KeyWindow&)> due_;
  std::vector<std::string> numbered_;  // during a restore: rows of sessions that are not number 0
  std::vector<Interval> sessions_;     // of the key in work
  std::string row_key_;
};

}  // namespace millrace
