#include "state/row_order.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>

#include "core/hash.h"
#include "data/key_format.h"

namespace millrace {

namespace {

constexpr size_t kSmallTableRows = 64 * 1024;
constexpr uint32_t kParts = 4;
constexpr size_t kAhead = 12;  // sorted rows lie anywhere: ask for their bytes in time

/// The first 8 bytes from `from` on; they compare as the text does.
uint64_t begin_of(std::string_view text, size_t from) {
  uint64_t begin = 0;
  text = text.substr(std::min(from, text.size()));
  std::memcpy(&begin, text.data(), std::min(text.size(), sizeof begin));
  return std::byteswap(begin);
}

size_t shared_beginning(std::string_view a, std::string_view b) {
  return static_cast<size_t>(std::ranges::mismatch(a, b).in1 - a.begin());
}

}  // namespace

RowOrder::RowOrder(const KeyedTable& table, uint32_t lead_bytes, uint32_t max_parallelism, Keep keep)
    : table_(table),
      lead_(lead_bytes),
      max_parallelism_(max_parallelism),
      keep_(std::move(keep)),
      parts_(lead_bytes == 0 && table.size() > kSmallTableRows ? std::min(kParts, max_parallelism) : 1) {
  sort_part();
}

uint32_t RowOrder::group_of(const char* row) const {
  const uint64_t hash = lead_ == 0 ? KeyedTable::hash_of(row) : hash64(KeyedTable::key_of(row).substr(lead_));
  return key_group_of(hash, max_parallelism_);
}

void RowOrder::collect() {
  std::array<const char*, 512> page;
  const uint32_t first = part_ * max_parallelism_ / parts_;
  const uint32_t last = (part_ + 1) * max_parallelism_ / parts_;
  uint64_t cursor = 0;
  while (const size_t count = table_.peek_rows(cursor, page)) {
    for (size_t i = 0; i < count; ++i) {
      if (parts_ > 1) {
        const uint32_t group = group_of(page[i]);
        if (group < first || group >= last) continue;
      }
      if (!keep_ || keep_(page[i])) places_.push_back({0, page[i]});
    }
  }
}

/// The next part that has rows, if there is one.
void RowOrder::sort_part() {
  places_.clear();
  at_ = 0;
  if (parts_ > 1) places_.reserve(table_.size() / parts_ + table_.size() / parts_ / 8);
  for (; places_.empty() && part_ < parts_; ++part_) collect();
  if (places_.empty()) return;
  size_t shared = SIZE_MAX;
  for (const Place& place : places_) {
    shared = std::min(shared, shared_beginning(key().substr(lead_), KeyedTable::key_of(place.row).substr(lead_)));
  }
  for (Place& place : places_) {
    const std::string_view key = KeyedTable::key_of(place.row);
    constexpr int kGroupBits = 16;
    place.begin = lead_ > 0 ? begin_of(key.substr(0, lead_), 0)
                            : uint64_t{group_of(place.row)} << (64 - kGroupBits) | begin_of(key, shared) >> kGroupBits;
  }
  std::ranges::sort(places_, [this](const Place& a, const Place& b) { return before(a, b); });
  for (size_t i = 0; i < kAhead; ++i) ask_for(i);
}

bool RowOrder::before(const Place& a, const Place& b) const {
  if (a.begin != b.begin) return a.begin < b.begin;
  const std::string_view left = KeyedTable::key_of(a.row);
  const std::string_view right = KeyedTable::key_of(b.row);
  if (lead_ == 0) return left < right;
  if (const int order = left.substr(0, lead_).compare(right.substr(0, lead_)); order != 0) return order < 0;
  const uint32_t group = group_of(a.row);
  const uint32_t other = group_of(b.row);
  return group != other ? group < other : left.substr(lead_) < right.substr(lead_);
}

void RowOrder::ask_for(size_t place) const {
  if (place >= places_.size()) return;
  __builtin_prefetch(places_[place].row - 32);
  __builtin_prefetch(places_[place].row + 31);
}

void RowOrder::next() {
  ask_for(at_ + kAhead);
  if (++at_ == places_.size()) sort_part();
}

void RowOrder::store_key(std::string_view prefix, std::string& into) const {
  const uint32_t group = this->group();
  const std::string_view key = this->key();
  into.assign(prefix);
  into.append(key.substr(0, lead_));
  into.push_back(static_cast<char>(group >> 8));
  into.push_back(static_cast<char>(group));
  into.append(key.substr(lead_));
}

}  // namespace millrace
