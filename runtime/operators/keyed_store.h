// Keyed state of operators that keep whole objects per key (joins, sorts, top, patterns): a hash map from encoded keys
// to T, captured row by row at a barrier. For accumulators of fixed width there is state/keyed_table.h. T says how it
// is stored: `static void save(const T&, ByteWriter&)` and `static bool load(ByteReader&, T&)` in Codec.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>

#include "core/bytes.h"
#include "core/hash.h"
#include "data/key_format.h"
#include "runtime/spi/operator.h"
#include "state/snapshot.h"

namespace millrace {

template <class T, class Codec>
class KeyedStore {
 public:
  explicit KeyedStore(StateDescriptor state) : state_(std::move(state)) {}

  struct Hash {
    using is_transparent = void;
    size_t operator()(std::string_view key) const { return hash64(key); }
  };
  using Map = std::unordered_map<std::string, T, Hash, std::equal_to<>>;

  T* find(std::string_view key) {
    const auto found = map_.find(key);
    return found == map_.end() ? nullptr : &found->second;
  }
  T& at(std::string_view key) {
    if (T* value = find(key)) return *value;
    return map_.emplace(std::string(key), T{}).first->second;
  }
  void erase(std::string_view key) {
    if (const auto found = map_.find(key); found != map_.end()) map_.erase(found);
  }
  Map& map() { return map_; }

  SnapshotPartPtr snapshot(uint32_t max_parallelism) const {
    auto part = std::make_unique<RowsSnapshot>(state_);
    for (const auto& [key, value] : map_) {
      ByteWriter out;
      Codec::save(value, out);
      part->add(key_group_of(hash64(key), max_parallelism), key, out.take());
    }
    return part;
  }

  Status restore(const OperatorContext& context) {
    if (context.restored == nullptr) return {};
    return context.restored->visit(state_, context.key_groups, context.subtask, context.parallelism,
                                   [&](uint32_t, std::string_view key, std::string_view value) -> Status {
                                     ByteReader in(value);
                                     if (!Codec::load(in, at(key)) || !in.done()) {
                                       return make_error(ErrorCode::kCorruptState,
                                                         "a row of state `" + state_.name + "` cannot be read");
                                     }
                                     return {};
                                   });
  }

 private:
  StateDescriptor state_;
  Map map_;
};

}  // namespace millrace
