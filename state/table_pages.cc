#include "state/table_pages.h"

#include <sys/mman.h>

#include <algorithm>
#include <bit>
#include <cstdlib>

#include "core/status.h"

namespace millrace {

namespace {

constexpr size_t kPageBytes = 64 * 1024;
constexpr size_t kFirstPageBytes = 4 * 1024;  // small tables (a slice of a quiet window) stay small

constexpr size_t kChunkBytes = 2 * 1024 * 1024;
constexpr size_t kChunkFromBytes = 1024 * 1024;

/// Straight from the system and back to it: an allocator would keep what a table leaves behind, which is most of the
/// process's memory, and count on it being wanted again.
char* map_chunks(size_t bytes) {
  const size_t mapped = bytes + kChunkBytes;
  void* memory = ::mmap(nullptr, mapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  MR_CHECK(memory != MAP_FAILED, "out of memory");
  char* begin = static_cast<char*>(memory);
  const size_t before = (kChunkBytes - reinterpret_cast<uintptr_t>(begin) % kChunkBytes) % kChunkBytes;
  if (before > 0) (void)::munmap(begin, before);
  if (before < kChunkBytes) (void)::munmap(begin + before + bytes, kChunkBytes - before);
  (void)::madvise(begin + before, bytes, MADV_HUGEPAGE);
  return begin + before;
}

size_t whole_chunks(size_t bytes) { return (bytes + kChunkBytes - 1) / kChunkBytes * kChunkBytes; }

TablePage allocate_page(size_t bytes) {
  return {allocate_table_memory(bytes), [bytes](char* memory) { free_table_memory(memory, bytes); }};
}

}  // namespace

char* allocate_table_memory(size_t bytes) {
  if (bytes >= kChunkBytes) return map_chunks(whole_chunks(bytes));
  void* memory = std::aligned_alloc(64, (bytes + 63) / 64 * 64);
  MR_CHECK(memory != nullptr, "out of memory");
  return static_cast<char*>(memory);
}

void free_table_memory(char* memory, size_t bytes) {
  if (bytes < kChunkBytes) {
    std::free(memory);
  } else {
    (void)::munmap(memory, whole_chunks(bytes));
  }
}

TablePages::TablePages(uint32_t row_bytes)
    : row_bytes_(row_bytes),
      rows_max_(static_cast<uint32_t>(std::max<size_t>(1, kPageBytes / row_bytes))),
      row_bits_(static_cast<uint32_t>(std::bit_width(rows_max_ - 1))),
      row_mask_((1u << row_bits_) - 1) {}

TablePage TablePages::make_page(size_t bytes) {
  if (bytes_ < kChunkFromBytes || bytes > kPageBytes) return allocate_page(bytes);
  if (chunk_left_ < bytes) {
    chunk_ = allocate_page(kChunkBytes);
    chunk_left_ = kChunkBytes;
  }
  char* page = chunk_.get() + (kChunkBytes - chunk_left_);
  chunk_left_ -= std::min(chunk_left_, kPageBytes);
  return {chunk_, page};
}

void TablePages::add_page() {
  MR_CHECK(pages_.size() < (uint64_t{1} << (32 - row_bits_)), "a state table is full");
  // 4 KB, 16 KB, then full pages.
  const size_t wanted = std::min(kPageBytes, kFirstPageBytes << (2 * std::min<size_t>(pages_.size(), 8)));
  capacity_ = std::clamp<uint32_t>(static_cast<uint32_t>(wanted / row_bytes_), 1, rows_max_);
  const size_t bytes = size_t{capacity_} * row_bytes_;
  pages_.push_back(make_page(bytes));
  bases_.push_back(pages_.back().get());
  used_.push_back(0);
  saved_at_.push_back(freezes_);  // no open view knows it
  bytes_ += bytes;
}

uint32_t TablePages::allocate() {
  if (!free_.empty()) {
    const uint32_t ref = free_.back();
    free_.pop_back();
    if (viewed()) save(ref >> row_bits_);
    return ref;
  }
  if (pages_.empty() || used_.back() == capacity_) add_page();
  const auto page = static_cast<uint32_t>(pages_.size() - 1);
  const uint32_t ref = (page << row_bits_) | used_.back();
  if (viewed()) save(page);
  ++used_.back();
  return ref;
}

bool TablePages::being_read() const {
  return std::any_of(views_.begin(), views_.end(),
                     [](const auto& view) { return !view->closed.load(std::memory_order_acquire); });
}

void TablePages::save(uint32_t page) {
  if (saved_at_[page] == freezes_) return;
  saved_at_[page] = freezes_;
  std::erase_if(views_, [](const auto& view) { return view->closed.load(std::memory_order_acquire); });
  TablePage copy;
  for (const auto& view : views_) {
    const std::lock_guard lock(view->mutex);
    if (page >= view->pages.size()) continue;
    FrozenPages::Page& frozen = view->pages[page];
    if (frozen.read || frozen.saved) continue;
    if (!copy) {
      const size_t bytes = size_t{used_[page]} * row_bytes_;
      copy = allocate_page(bytes);
      std::memcpy(copy.get(), bases_[page], bytes);
    }
    frozen.saved = copy;
    view->saved_bytes.fetch_add(size_t{used_[page]} * row_bytes_, std::memory_order_relaxed);
  }
}

size_t TablePages::saved_bytes() const {
  size_t bytes = 0;
  for (const auto& view : views_) {
    if (!view->closed.load(std::memory_order_acquire)) bytes += view->saved_bytes.load(std::memory_order_relaxed);
  }
  return bytes;
}

void TablePages::clear() {
  for (const auto& view : views_) {
    if (view->closed.load(std::memory_order_acquire)) continue;
    const std::lock_guard lock(view->mutex);
    for (size_t i = 0; i < view->pages.size(); ++i) {
      FrozenPages::Page& frozen = view->pages[i];
      if (!frozen.read && !frozen.saved) frozen.saved = pages_[i];  // the page itself; nobody writes it any more
    }
  }
  // Every page that these views know is theirs now.
  views_.clear();
  pages_.clear();
  bases_.clear();
  used_.clear();
  saved_at_.clear();
  free_.clear();
  chunk_.reset();
  chunk_left_ = 0;
  capacity_ = 0;
  bytes_ = 0;
}

template <class Value, class Enter>
size_t TablePages::walk(uint64_t& cursor, Value* values, size_t count, Enter enter) const {
  size_t found = 0;
  auto page = static_cast<uint32_t>(cursor >> row_bits_);
  auto slot = static_cast<uint32_t>(cursor & row_mask_);
  while (page < pages_.size() && found < count) {
    enter(page << row_bits_);
    char* base = bases_[page];
    for (; slot < used_[page] && found < count; ++slot) {
      auto* row = reinterpret_cast<TableRow*>(base + size_t{slot} * row_bytes_);
      if (row->live != 0) values[found++] = row->value();
    }
    if (slot == used_[page]) {
      ++page;
      slot = 0;
    }
  }
  cursor = (uint64_t{page} << row_bits_) | slot;
  return found;
}

size_t TablePages::next(uint64_t& cursor, char** values, size_t count) {
  const size_t found = walk(cursor, values, count, [this](uint32_t ref) {
    if (viewed()) save(ref >> row_bits_);
  });
  for (size_t i = 0; i < found; ++i) mark(TableRow::of(values[i]));
  return found;
}

size_t TablePages::peek(uint64_t& cursor, const char** values, size_t count) const {
  return walk(cursor, values, count, [](uint32_t /*ref*/) {});
}

std::shared_ptr<FrozenPages> TablePages::freeze() {
  std::erase_if(views_, [](const auto& view) { return view->closed.load(std::memory_order_acquire); });
  auto view = std::make_shared<FrozenPages>();
  view->row_bytes = row_bytes_;
  view->pages.reserve(pages_.size());
  for (size_t i = 0; i < pages_.size(); ++i) view->pages.push_back({bases_[i], used_[i], false, nullptr});
  ++freezes_;
  views_.push_back(view);
  return view;
}

}  // namespace millrace
