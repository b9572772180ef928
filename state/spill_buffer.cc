#include "state/spill_buffer.h"

#include <algorithm>
#include <bit>
#include <cstring>

namespace millrace {

namespace {
constexpr size_t kChunkBytes = 1 << 20;
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
  return row;
}

void SpillBuffer::add(std::initializer_list<std::string_view> key, std::string_view value) {
  Row& row = append(key, value.size());
  row.value_bytes = static_cast<uint32_t>(value.size());
  if (!value.empty()) std::memcpy(const_cast<char*>(row.bytes) + row.key_bytes, value.data(), value.size());
}

void SpillBuffer::erase(std::initializer_list<std::string_view> key) { append(key, 0).value_bytes = kErased; }

void SpillBuffer::sort() {
  if (rows_.empty()) return;
  const std::string_view first = rows_.front().key();
  size_t shared = first.size();
  for (const Row& row : rows_) {
    const size_t bytes = std::min(shared, row.key().size());
    shared = static_cast<size_t>(std::mismatch(first.begin(), first.begin() + bytes, row.bytes).first - first.begin());
  }
  for (Row& row : rows_) {
    std::memcpy(&row.begin, row.bytes + shared, std::min(row.key_bytes - shared, sizeof row.begin));
    row.begin = std::byteswap(row.begin);  // bytes in memory order compare as one number
  }
  std::ranges::sort(
      rows_, [](const Row& a, const Row& b) { return a.begin != b.begin ? a.begin < b.begin : a.key() < b.key(); });
}

Status SpillBuffer::write_run(SpillStore& store) {
  if (rows_.empty()) return {};
  MR_ASSIGN(const std::unique_ptr<SpillRun> run, store.begin_run());
  MR_TRY(write(*run));
  return run->finish();
}

Status SpillBuffer::write(SpillRun& run) {
  sort();
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
