// Rows of a table in the order in which a spill store keeps them: the first `lead` bytes of the key, key group, the
// rest of the key. Reads them where they are, so that a table that is written out needs no copy of itself beside it: a
// quarter of the rows is sorted at a time, for 16 bytes each. One thread; nothing may be inserted or erased meanwhile.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "state/keyed_table.h"

namespace millrace {

class RowOrder {
 public:
  /// Of the rows that `keep` takes.
  using Keep = std::function<bool(const char* row)>;
  RowOrder(const KeyedTable& table, uint32_t lead_bytes, uint32_t max_parallelism, Keep keep = {});

  [[nodiscard]] bool valid() const { return at_ < places_.size(); }
  void next();
  [[nodiscard]] const char* row() const { return places_[at_].row; }
  [[nodiscard]] std::string_view key() const { return KeyedTable::key_of(row()); }
  [[nodiscard]] uint32_t group() const { return group_of(row()); }
  /// Puts the row's key behind `prefix`, as the store has it.
  void store_key(std::string_view prefix, std::string& into) const;

 private:
  struct Place {
    uint64_t begin;  // the order's first bytes, so that few comparisons touch the row
    const char* row;
  };
  [[nodiscard]] uint32_t group_of(const char* row) const;
  [[nodiscard]] bool before(const Place& a, const Place& b) const;
  void sort_part();
  void collect();
  void ask_for(size_t place) const;

  const KeyedTable& table_;
  size_t lead_;
  uint32_t max_parallelism_;
  Keep keep_;
  uint32_t parts_;
  uint32_t part_ = 0;
  std::vector<Place> places_;  // of this part
  size_t at_ = 0;
};

}  // namespace millrace
