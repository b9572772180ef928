#include "state/keyed_table.h"

#include <bit>
#include <cstring>
#include <utility>

#include "core/status.h"
#include "state/table_pages.h"

namespace millrace {

namespace {

// Slot of the index: low 32 bits of the hash and the row. The position follows from the tag alone, so growing and
// erasing never touch a row.
struct TableSlot {
  uint32_t tag;
  uint32_t ref;
};
constexpr uint32_t kEmptyRef = 0xffffffffu;
constexpr size_t kSlotsMin = 64;
constexpr size_t kSlotsAhead = 48;
constexpr size_t kRowsAhead = 24;
constexpr size_t kProbeRing = 64;  // more than kSlotsAhead

struct SlotsDeleter {
  size_t bytes = 0;
  void operator()(TableSlot* slots) const { free_table_memory(reinterpret_cast<char*>(slots), bytes); }
};
using TableSlots = std::unique_ptr<TableSlot[], SlotsDeleter>;

inline bool same_key(const char* a, const char* b, size_t size) {
  if (size >= 8) {
    if (size > 16) return std::memcmp(a, b, size) == 0;
    uint64_t a0, a1, b0, b1;
    std::memcpy(&a0, a, 8);
    std::memcpy(&b0, b, 8);
    std::memcpy(&a1, a + size - 8, 8);
    std::memcpy(&b1, b + size - 8, 8);
    return ((a0 ^ b0) | (a1 ^ b1)) == 0;
  }
  for (size_t i = 0; i < size; ++i) {
    if (a[i] != b[i]) return false;
  }
  return true;
}

class FrozenTable final : public TableView {
 public:
  FrozenTable(std::shared_ptr<FrozenPages> frozen, std::shared_ptr<void> blobs)
      : frozen_(std::move(frozen)), blobs_(std::move(blobs)) {}
  ~FrozenTable() override { frozen_->closed.store(true, std::memory_order_release); }
  FrozenTable(const FrozenTable&) = delete;
  FrozenTable& operator=(const FrozenTable&) = delete;

  void visit(const std::function<void(uint64_t, std::string_view, const char*)>& visitor) override {
    std::vector<uint64_t> buffer;  // 8-byte aligned; values in it are read through memcpy or as 8-byte words
    for (FrozenPages::Page& page : frozen_->pages) {
      const size_t bytes = size_t{page.rows} * frozen_->row_bytes;
      TablePage saved;
      const char* base = nullptr;
      {
        const std::lock_guard lock(frozen_->mutex);
        saved = std::exchange(page.saved, nullptr);
        if (saved) {
          base = saved.get();
        } else {
          buffer.resize(bytes / sizeof(uint64_t) + 2);
          char* into = reinterpret_cast<char*>(buffer.data());
          into += (16 - reinterpret_cast<uintptr_t>(into) % 16) % 16;
          std::memcpy(into, page.live, bytes);
          base = into;
        }
        page.read = true;
      }
      for (uint32_t i = 0; i < page.rows; ++i) {
        const auto* row = reinterpret_cast<const TableRow*>(base + size_t{i} * frozen_->row_bytes);
        if (row->live != 0) visitor(row->hash, row->key(), row->value());
      }
      if (saved) frozen_->saved_bytes.fetch_sub(bytes, std::memory_order_relaxed);
    }
  }

 private:
  std::shared_ptr<FrozenPages> frozen_;
  std::shared_ptr<void> blobs_;
};

}  // namespace

struct KeyedTable::Impl {
  Impl(uint32_t bytes, BlobPool& pool)
      : value_bytes((bytes + 15) / 16 * 16),
        pages(static_cast<uint32_t>(sizeof(TableRow)) + value_bytes),
        blobs(pool) {}

  uint32_t value_bytes;
  TablePages pages;
  BlobPool& blobs;
  TableSlots slots;
  size_t slot_count = 0;
  size_t mask = 0;
  size_t rows = 0;
  size_t long_keys = 0;

  // Room for `more` rows at a load of at most 5/8. True: the slots have moved.
  bool reserve(size_t more) {
    const size_t wanted = rows + more;
    if (wanted * 8 <= slot_count * 5) [[likely]]
      return false;
    const size_t size = std::max(kSlotsMin, std::bit_ceil(wanted * 8 / 5 + 1));
    const auto old = std::move(slots);
    const size_t bytes = size * sizeof(TableSlot);
    slots = TableSlots(reinterpret_cast<TableSlot*>(allocate_table_memory(bytes)), SlotsDeleter{bytes});
    std::fill_n(slots.get(), size, TableSlot{0, kEmptyRef});
    mask = size - 1;
    for (size_t i = 0; i < slot_count; ++i) {
      if (old[i].ref == kEmptyRef) continue;
      size_t at = old[i].tag & mask;
      while (slots[at].ref != kEmptyRef) at = (at + 1) & mask;
      slots[at] = old[i];
    }
    slot_count = size;
    return true;
  }

  static bool matches(const TableRow* row, uint64_t hash, std::string_view key) {
    return row->hash == hash && row->key_bytes == key.size() && same_key(row->key().data(), key.data(), key.size());
  }

  // First slot from `at` on that is empty or carries the tag.
  [[nodiscard]] size_t probe(size_t at, uint32_t tag) const {
    while (slots[at].ref != kEmptyRef && slots[at].tag != tag) at = (at + 1) & mask;
    return at;
  }

  // The slot of the key, or the empty slot where it belongs. `at` = a result of probe.
  [[nodiscard]] size_t locate(size_t at, uint64_t hash, std::string_view key) const {
    const auto tag = static_cast<uint32_t>(hash);
    at = probe(at, tag);
    while (slots[at].ref != kEmptyRef && !matches(pages.row(slots[at].ref), hash, key)) {
      at = probe((at + 1) & mask, tag);
    }
    return at;
  }

  char* fill(size_t at, uint64_t hash, std::string_view key) {
    const uint32_t ref = pages.allocate();
    TableRow* row = pages.row(ref);
    row->hash = hash;
    row->key_bytes = static_cast<uint32_t>(key.size());
    row->live = 1;
    row->epoch = pages.epoch();
    row->flags = TableRow::kUsed;
    if (key.size() <= TableRow::kInlineKeyBytes) {
      std::memset(row->inline_key, 0, sizeof row->inline_key);
      if (!key.empty()) std::memcpy(row->inline_key, key.data(), key.size());
    } else {
      row->blob = blobs.add(key).block;
      ++long_keys;
    }
    std::memset(row->value(), 0, value_bytes);
    slots[at] = {static_cast<uint32_t>(hash), ref};
    ++rows;
    return row->value();
  }

  // Backward shift: closes the gap so that no probe stops early.
  void vacate(size_t at) {
    size_t next = (at + 1) & mask;
    while (slots[next].ref != kEmptyRef) {
      const size_t home = slots[next].tag & mask;
      if (((next - home) & mask) >= ((next - at) & mask)) {
        slots[at] = slots[next];
        at = next;
      }
      next = (next + 1) & mask;
    }
    slots[at].ref = kEmptyRef;
  }

  void prefetch_row(uint32_t ref) const {
    const char* row = reinterpret_cast<const char*>(pages.row(ref));
    __builtin_prefetch(row, 1);
    __builtin_prefetch(row + pages.row_bytes() - 1, 1);
  }

  // Three hands over the rows, so far apart that the memory which one asks for is there when the next one comes: the
  // first asks for the slot, the second for the row behind it, the third compares keys.
  template <class IndexOf>
  void find_or_insert_all(const EncodedKeys& keys, size_t total, IndexOf index_of, char** values, uint8_t* inserted) {
    size_t at[kProbeRing];
    size_t asked = 0;
    size_t probed = 0;
    reserve(1);
    for (size_t k = 0; k < total; ++k) {
      for (const size_t end = std::min(total, k + kSlotsAhead); asked < end; ++asked) {
        at[asked % kProbeRing] = keys.hashes[index_of(asked)] & mask;
        __builtin_prefetch(&slots[at[asked % kProbeRing]]);
      }
      for (const size_t end = std::min(total, k + kRowsAhead); probed < end; ++probed) {
        size_t& slot = at[probed % kProbeRing];
        slot = probe(slot, static_cast<uint32_t>(keys.hashes[index_of(probed)]));
        if (slots[slot].ref != kEmptyRef) prefetch_row(slots[slot].ref);
      }
      // Slots probed above stay good: an insert only fills an empty one, and locate looks again.
      const size_t i = index_of(k);
      const size_t slot = locate(at[k % kProbeRing], keys.hashes[i], keys.keys[i]);
      const uint32_t ref = slots[slot].ref;
      if (ref != kEmptyRef) {
        pages.touch(ref);
        values[i] = pages.row(ref)->value();
        inserted[i] = 0;
        continue;
      }
      values[i] = fill(slot, keys.hashes[i], keys.keys[i]);
      inserted[i] = 1;
      if (!reserve(1)) continue;
      for (size_t j = k + 1; j < asked; ++j) at[j % kProbeRing] = keys.hashes[index_of(j)] & mask;  // it has grown
    }
  }

  void release_long_keys() {
    if (long_keys == 0) return;
    for (size_t i = 0; i < slot_count; ++i) {
      if (slots[i].ref == kEmptyRef) continue;
      const TableRow* row = pages.row(slots[i].ref);
      if (row->key_bytes > TableRow::kInlineKeyBytes) blobs.release({row->blob});
    }
    long_keys = 0;
  }
};

KeyedTable::KeyedTable(uint32_t value_bytes, BlobPool& blobs) : impl_(std::make_unique<Impl>(value_bytes, blobs)) {}
KeyedTable::~KeyedTable() { impl_->release_long_keys(); }

void KeyedTable::find_or_insert(const EncodedKeys& keys, std::span<const uint32_t> which, char** values,
                                uint8_t* inserted) {
  if (which.empty()) {
    impl_->find_or_insert_all(keys, keys.keys.size(), [](size_t j) { return j; }, values, inserted);
  } else {
    const uint32_t* indexes = which.data();
    impl_->find_or_insert_all(keys, which.size(), [indexes](size_t j) { return size_t{indexes[j]}; }, values, inserted);
  }
}

char* KeyedTable::find(uint64_t hash, std::string_view key) {
  if (impl_->rows == 0) return nullptr;
  const uint32_t ref = impl_->slots[impl_->locate(hash & impl_->mask, hash, key)].ref;
  if (ref == kEmptyRef) return nullptr;
  impl_->pages.touch(ref);
  return impl_->pages.row(ref)->value();
}

char* KeyedTable::insert(uint64_t hash, std::string_view key, bool* inserted) {
  impl_->reserve(1);
  const size_t slot = impl_->locate(hash & impl_->mask, hash, key);
  const uint32_t ref = impl_->slots[slot].ref;
  if (inserted != nullptr) *inserted = ref == kEmptyRef;
  if (ref == kEmptyRef) return impl_->fill(slot, hash, key);
  impl_->pages.touch(ref);
  return impl_->pages.row(ref)->value();
}

bool KeyedTable::erase(uint64_t hash, std::string_view key) {
  if (impl_->rows == 0) return false;
  const size_t slot = impl_->locate(hash & impl_->mask, hash, key);
  const uint32_t ref = impl_->slots[slot].ref;
  if (ref == kEmptyRef) return false;
  impl_->pages.touch(ref);
  TableRow* row = impl_->pages.row(ref);
  row->live = 0;
  impl_->vacate(slot);
  if (row->key_bytes > TableRow::kInlineKeyBytes) {
    --impl_->long_keys;
    impl_->blobs.release({row->blob});  // `key` may point into it: last
  }
  impl_->pages.free(ref);
  --impl_->rows;
  return true;
}

std::string_view KeyedTable::key_of(const char* value) { return TableRow::of(value)->key(); }
uint64_t KeyedTable::hash_of(const char* value) { return TableRow::of(value)->hash; }

size_t KeyedTable::next_rows(uint64_t& cursor, std::span<char*> rows) {
  return impl_->pages.next(cursor, rows.data(), rows.size());
}

size_t KeyedTable::peek_rows(uint64_t& cursor, std::span<const char*> rows) const {
  return impl_->pages.peek(cursor, rows.data(), rows.size());
}

uint16_t KeyedTable::next_epoch() {
  const uint16_t ended = impl_->pages.epoch();
  impl_->pages.next_epoch();
  return ended;
}
uint16_t KeyedTable::epoch() const { return impl_->pages.epoch(); }
bool KeyedTable::changed_since(const char* value, uint16_t written) {
  return static_cast<int16_t>(static_cast<uint16_t>(TableRow::of(value)->epoch - written)) > 0;
}
bool KeyedTable::may_be_stored(const char* value) const {
  const TableRow* row = TableRow::of(value);
  return (row->flags & TableRow::kStored) != 0 || row->epoch != impl_->pages.epoch();
}
void KeyedTable::set_loaded(char* value) { TableRow::of(value)->flags |= TableRow::kStored; }
bool KeyedTable::take_used(char* value) {
  TableRow* row = TableRow::of(value);
  const bool used = (row->flags & TableRow::kUsed) != 0;
  row->flags &= static_cast<uint8_t>(~TableRow::kUsed);
  return used;
}
bool KeyedTable::being_read() const { return impl_->pages.being_read(); }
void KeyedTable::mark(char* value) { impl_->pages.mark(TableRow::of(value)); }

bool KeyedTable::writable() const { return !impl_->pages.viewed(); }

void KeyedTable::reserve(size_t more) { impl_->reserve(more); }
size_t KeyedTable::size() const { return impl_->rows; }
size_t KeyedTable::used_bytes() const {
  return impl_->rows * (impl_->pages.row_bytes() + sizeof(TableSlot) * 2) + impl_->pages.saved_bytes();
}
size_t KeyedTable::bytes() const {
  return impl_->pages.bytes() + impl_->slot_count * sizeof(TableSlot) + impl_->pages.saved_bytes();
}

void KeyedTable::clear() {
  impl_->release_long_keys();
  impl_->pages.clear();
  impl_->slots.reset();
  impl_->slot_count = 0;
  impl_->mask = 0;
  impl_->rows = 0;
}

std::unique_ptr<TableView> KeyedTable::freeze() {
  return std::make_unique<FrozenTable>(impl_->pages.freeze(), impl_->blobs.pin());
}

}  // namespace millrace
