// Keyed state of whole objects in a state/keyed_table: batched look-ups, addresses that stay while the key does, no
// string per key. T is made in place when its key comes and destroyed with it. Snapshots are the owner's: it walks the
// objects at the barrier. Task's thread.
#pragma once

#include <array>
#include <cstdint>
#include <new>
#include <span>
#include <string_view>
#include <vector>

#include "state/keyed_table.h"

namespace millrace {

template <class T>
class KeyedObjects {
 public:
  KeyedObjects() : table_(sizeof(T), blobs_) { static_assert(alignof(T) <= 16); }
  ~KeyedObjects() {
    for_each([](T& object) { object.~T(); });
  }
  KeyedObjects(const KeyedObjects&) = delete;
  KeyedObjects& operator=(const KeyedObjects&) = delete;

  /// For each index in `which` (all when empty): objects[i] = the object of keys.keys[i], made when it was absent.
  void find_or_make(const EncodedKeys& keys, std::span<const uint32_t> which, std::vector<T*>& objects) {
    values_.resize(keys.keys.size());
    inserted_.resize(keys.keys.size());
    objects.resize(keys.keys.size());
    table_.find_or_insert(keys, which, values_.data(), inserted_.data());
    const size_t count = which.empty() ? keys.keys.size() : which.size();
    for (size_t at = 0; at < count; ++at) {
      const size_t i = which.empty() ? at : which[at];
      objects[i] = inserted_[i] != 0 ? new (values_[i]) T() : of(values_[i]);
    }
  }
  T& at(uint64_t hash, std::string_view key) {
    bool inserted = false;
    char* value = table_.insert(hash, key, &inserted);
    return inserted ? *new (value) T() : *of(value);
  }
  void erase(T& object) {
    const char* value = reinterpret_cast<const char*>(&object);
    const uint64_t hash = KeyedTable::hash_of(value);
    const std::string_view key = KeyedTable::key_of(value);
    object.~T();
    table_.erase(hash, key);
  }

  [[nodiscard]] static std::string_view key_of(const T& object) {
    return KeyedTable::key_of(reinterpret_cast<const char*>(&object));
  }
  [[nodiscard]] static uint64_t hash_of(const T& object) {
    return KeyedTable::hash_of(reinterpret_cast<const char*>(&object));
  }

  /// Nothing may be made or erased meanwhile.
  template <class F>
  void for_each(F&& visit) {
    std::array<char*, 256> rows;
    uint64_t cursor = 0;
    while (const size_t count = table_.next_rows(cursor, rows)) {
      for (size_t i = 0; i < count; ++i) visit(*of(rows[i]));
    }
  }
  [[nodiscard]] size_t size() const { return table_.size(); }

 private:
  static T* of(char* value) { return std::launder(reinterpret_cast<T*>(value)); }

  BlobPool blobs_;  // keys that are too long for a row
  KeyedTable table_;
  std::vector<char*> values_;
  std::vector<uint8_t> inserted_;
};

}  // namespace millrace
