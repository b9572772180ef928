// Answers of a look-up join that still count: at most `size` keys, each for `ttl` after it was fetched, the one that
// was used longest ago goes first. Keys without rows are kept too. Task's thread; not part of snapshots.
#pragma once

#include <cstdint>
#include <list>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "runtime/operators/join/pairs.h"

namespace millrace {

using LookupRowsPtr = std::shared_ptr<const std::vector<JoinRow>>;

class LookupCache {
 public:
  /// `ttl_ms` 0: keeps nothing.
  LookupCache(int64_t size, int64_t ttl_ms) : size_(static_cast<size_t>(size)), ttl_ms_(ttl_ms) {}

  /// Null: not here, or too old.
  LookupRowsPtr find(std::string_view key, int64_t now_ms) {
    const auto at = places_.find(key);
    if (at == places_.end()) return nullptr;
    if (at->second->until_ms <= now_ms) {
      drop(at->second);
      return nullptr;
    }
    entries_.splice(entries_.begin(), entries_, at->second);
    return at->second->rows;
  }
  void put(const std::string& key, LookupRowsPtr rows, int64_t now_ms) {
    if (ttl_ms_ <= 0) return;
    if (const auto at = places_.find(key); at != places_.end()) drop(at->second);
    if (entries_.size() >= size_) drop(std::prev(entries_.end()));
    entries_.push_front({key, std::move(rows), now_ms + ttl_ms_});
    places_.emplace(entries_.front().key, entries_.begin());
  }
  [[nodiscard]] size_t size() const { return entries_.size(); }

 private:
  struct Entry {
    std::string key;
    LookupRowsPtr rows;
    int64_t until_ms;
  };
  using Place = std::list<Entry>::iterator;
  void drop(Place place) {
    places_.erase(place->key);
    entries_.erase(place);
  }

  size_t size_;
  int64_t ttl_ms_;
  std::list<Entry> entries_;                            // used last in front
  std::unordered_map<std::string_view, Place> places_;  // views of the entries' keys
};

}  // namespace millrace
