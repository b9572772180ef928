// The pages of a KeyedTable and their copy-on-write: rows of fixed width at addresses that never move, and open views
// that get a page's old content before its first write after their freeze. The owner writes on one thread; each view is
// read on one other thread. A page of a view is in one of three states, guarded by the view's mutex: live (unchanged
// since the freeze), copied (the owner saved it), read (the reader has it; the owner need not save it any more).
#pragma once

#include <atomic>
#include <cstdint>
#include <cstring>
#include <memory>
#include <mutex>
#include <string_view>
#include <vector>

namespace millrace {

/// In front of every value. Keys of up to 16 bytes stand here, longer ones are blobs.
struct TableRow {
  static constexpr uint32_t kInlineKeyBytes = 16;

  static constexpr uint8_t kStored = 1;  // an older version may be in the spill store
  static constexpr uint8_t kUsed = 2;    // touched since the last look for rows to spill

  uint64_t hash;
  uint32_t key_bytes;
  uint16_t epoch;  // of the last write: see KeyedTable::next_epoch
  uint8_t live;
  uint8_t flags;
  union {
    char inline_key[kInlineKeyBytes];
    const char* blob;  // BlobRef::block
  };

  [[nodiscard]] std::string_view key() const {
    return {key_bytes <= kInlineKeyBytes ? inline_key : blob + sizeof(uint32_t), key_bytes};
  }
  [[nodiscard]] char* value() { return reinterpret_cast<char*>(this + 1); }
  [[nodiscard]] const char* value() const { return reinterpret_cast<const char*>(this + 1); }
  static TableRow* of(char* value) { return reinterpret_cast<TableRow*>(value) - 1; }
  static const TableRow* of(const char* value) { return reinterpret_cast<const TableRow*>(value) - 1; }
};
static_assert(sizeof(TableRow) == 32);

using TablePage = std::shared_ptr<char>;

/// 64-byte aligned; blocks from 2 MB on ask for huge pages, because most of a miss in a large table is the page walk.
char* allocate_table_memory(size_t bytes);
/// `bytes` as it was allocated with.
void free_table_memory(char* memory, size_t bytes);

/// What a freeze shares between the table and its view.
struct FrozenPages {
  struct Page {
    const char* live;  // valid until `saved` is set
    uint32_t rows;     // used at the freeze
    bool read = false;
    TablePage saved;
  };
  std::mutex mutex;
  std::vector<Page> pages;
  std::atomic<bool> closed{false};
  std::atomic<size_t> saved_bytes{0};  // of copies that were not read yet
  uint32_t row_bytes = 0;
};

class TablePages {
 public:
  explicit TablePages(uint32_t row_bytes);
  ~TablePages() { clear(); }
  TablePages(const TablePages&) = delete;
  TablePages& operator=(const TablePages&) = delete;

  /// A reference is page number and row number in one; stays valid for the life of the row.
  [[nodiscard]] TableRow* row(uint32_t ref) const {
    return reinterpret_cast<TableRow*>(bases_[ref >> row_bits_] + size_t{ref & row_mask_} * row_bytes_);
  }
  /// Must be called before a row is written.
  void touch(uint32_t ref) {
    if (!views_.empty()) [[unlikely]]
      save(ref >> row_bits_);
    mark(row(ref));
  }
  /// Notes a write to a row that is saved already.
  void mark(TableRow* row) const {
    row->flags |= row->epoch == epoch_ ? TableRow::kUsed : TableRow::kUsed | TableRow::kStored;
    row->epoch = epoch_;
  }
  [[nodiscard]] uint16_t epoch() const { return epoch_; }
  void next_epoch() { ++epoch_; }
  /// Nothing is saved while no view is open: touch() does nothing.
  [[nodiscard]] bool viewed() const { return !views_.empty(); }
  /// A view may still be read.
  [[nodiscard]] bool being_read() const;
  /// An unused row, touched; its content is undefined.
  uint32_t allocate();
  /// The row must be touched and not live.
  void free(uint32_t ref) { free_.push_back(ref); }
  void clear();

  /// Up to `count` live rows from `cursor` (a reference) on, touched.
  size_t next(uint64_t& cursor, char** values, size_t count);
  /// The same, not touched: for reading.
  size_t peek(uint64_t& cursor, const char** values, size_t count) const;
  [[nodiscard]] std::shared_ptr<FrozenPages> freeze();
  [[nodiscard]] size_t bytes() const { return bytes_; }
  /// Of the copies that open views hold.
  [[nodiscard]] size_t saved_bytes() const;
  [[nodiscard]] uint32_t row_bytes() const { return row_bytes_; }

 private:
  void save(uint32_t page);
  template <class Value, class Enter>
  size_t walk(uint64_t& cursor, Value* values, size_t count, Enter enter) const;
  void add_page();
  TablePage make_page(size_t bytes);

  uint32_t row_bytes_;
  uint32_t rows_max_;  // of a full-sized page
  uint32_t row_bits_;
  uint32_t row_mask_;
  TablePage chunk_;  // large tables cut their pages out of 2 MB
  size_t chunk_left_ = 0;
  std::vector<char*> bases_;
  std::vector<TablePage> pages_;
  std::vector<uint32_t> used_;      // rows handed out so far, per page
  std::vector<uint64_t> saved_at_;  // per page: the freeze for which it was saved
  std::vector<uint32_t> free_;
  uint32_t capacity_ = 0;  // of the last page, in rows
  uint64_t freezes_ = 0;
  uint16_t epoch_ = 1;
  std::vector<std::shared_ptr<FrozenPages>> views_;  // open ones, and closed ones not yet noticed
  size_t bytes_ = 0;
};

}  // namespace millrace
