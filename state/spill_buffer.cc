#include "state/spill_buffer.h"

#include <algorithm>
#include <bit>
#include <cstring>

namespace millrace {

namespace {
constexpr size_t kChunkBytes = 1 << 20;
constexpr size_t kStateIdBytes = 4;
}  // namespace

char* SpillBuffer::reserve(size_t bytes) {
  if (bytes > left_) {
    const size_t size = std::max(bytes, kChunkBytes);
    chunks_.push_back(std::make_unique_for_overwrite<char[]>(size));
    at_ = chunks_.back().get();
    left_ = size;
  }
  left_ -= bytes;
  bytes_ += bytes;
  return std::exchange(at_, at_ + bytes);
}

SpillBuffer::Row& SpillBuffer::append(std::initializer_list<std::string_view> key, size_t value_bytes) {
  size_t key_bytes = 0;
  for (const std::string_view part : key) key_bytes += part.size();
  char* into = reserve(key_bytes + value_bytes);
  Row& row = rows_.emplace_back(Row{0, into, static_cast<uint32_t>(key_bytes), 0});
  for (const std::string_view part : key) {
    if (!part.empty()) std::memcpy(into, part.data(), part.size());
    into += part.size();
  }
  if (key_bytes > kStateIdBytes) {
    std::memcpy(&row.prefix, row.bytes + kStateIdBytes, std::min(key_bytes - kStateIdBytes, sizeof row.prefix));
    row.prefix = std::byteswap(row.prefix);  // bytes in memory order compare as one number
  }
  return row;
}

void SpillBuffer::add(std::initializer_list<std::string_view> key, std::string_view value) {
  Row& row = append(key, value.size());
  row.value_bytes = static_cast<uint32_t>(value.size());
  if (!value.empty()) std::memcpy(const_cast<char*>(row.bytes) + row.key_bytes, value.data(), value.size());
}

void SpillBuffer::erase(std::initializer_list<std::string_view> key) { append(key, 0).value_bytes = kErased; }

Status SpillBuffer::write(SpillRun& run) {
  std::ranges::sort(rows_, [](const Row& a, const Row& b) {
    const int states = std::memcmp(a.bytes, b.bytes, kStateIdBytes);
    if (states != 0) return states < 0;
    if (a.prefix != b.prefix) return a.prefix < b.prefix;
    return a.key() < b.key();
  });
  for (const Row& row : rows_) {
    if (row.value_bytes == kErased) {
      MR_TRY(run.erase(row.key()));
    } else {
      MR_TRY(run.add(row.key(), {row.bytes + row.key_bytes, row.value_bytes}));
    }
  }
  rows_.clear();
  chunks_.clear();
  at_ = nullptr;
  left_ = 0;
  bytes_ = 0;
  return {};
}

}  // namespace millrace
