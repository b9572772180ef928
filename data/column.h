// A column: values of one physical type plus a byte mask of NULLs. Columns inside a batch are immutable and shared.
// Null slots hold zero bytes, so kernels may read them without a branch. A mask of bytes instead of bits costs
// 4 KB a batch and makes every kernel a plain loop that the compiler vectorises.
#pragma once

#include <cstdint>
#include <cstring>
#include <memory>
#include <string_view>
#include <vector>

#include "core/status.h"
#include "data/types.h"

namespace millrace {

using int128 = __int128;

/// 16 bytes; points into an arena that the batch (or the state row) keeps alive.
struct StringRef {
  const char* data = nullptr;
  uint32_t size = 0;
  uint32_t reserved = 0;

  StringRef() = default;
  explicit StringRef(std::string_view text) : data(text.data()), size(static_cast<uint32_t>(text.size())) {}
  [[nodiscard]] std::string_view view() const { return {data, size}; }
};

/// Growable raw memory without initialisation, 64-byte aligned. Not shared; move only.
class Buffer {
 public:
  Buffer() = default;
  ~Buffer();
  Buffer(Buffer&& other) noexcept;
  Buffer& operator=(Buffer&& other) noexcept;
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;

  /// Grows (doubling) so that `bytes` fit; keeps the first size() bytes. New bytes are not initialised.
  void resize(size_t bytes);
  [[nodiscard]] size_t size() const { return size_; }
  [[nodiscard]] size_t capacity() const { return capacity_; }
  [[nodiscard]] char* data() { return data_; }
  [[nodiscard]] const char* data() const { return data_; }

 private:
  char* data_ = nullptr;
  size_t size_ = 0;
  size_t capacity_ = 0;
};

/// Bump allocator for the bytes of strings. One writer; frozen once the batch leaves it. Addresses are stable.
class Arena {
 public:
  explicit Arena(size_t chunk_bytes = 64 * 1024) : chunk_bytes_(chunk_bytes) {}
  ~Arena();
  Arena(const Arena&) = delete;
  Arena& operator=(const Arena&) = delete;

  /// Uninitialised memory, 1-byte aligned; always followed by at least 64 readable bytes (simdjson's padding).
  char* allocate(size_t bytes);
  StringRef copy(std::string_view text);
  /// Memory held, which is what a channel that keeps this arena pins.
  [[nodiscard]] size_t bytes() const { return bytes_; }

 private:
  char* allocate_slow(size_t bytes);

  std::vector<char*> chunks_;
  char* cursor_ = nullptr;
  size_t left_ = 0;
  size_t chunk_bytes_;
  size_t bytes_ = 0;
};
using ArenaPtr = std::shared_ptr<Arena>;

size_t physical_width(PhysicalType type);  // bytes per value: 1, 4, 8, 4, 8, 16, 16; lists and structs 0

class Column;
using ColumnPtr = std::shared_ptr<const Column>;

class Column {
 public:
  explicit Column(PhysicalType type) : type_(type) {}

  [[nodiscard]] PhysicalType type() const { return type_; }
  [[nodiscard]] uint32_t size() const { return size_; }

  /// Sets the length; value bytes and null bytes of new rows are undefined until set (null mask: 0 when has_nulls()).
  void resize(uint32_t rows);

  template <class T>
  [[nodiscard]] T* values() {
    return reinterpret_cast<T*>(values_.data());
  }
  template <class T>
  [[nodiscard]] const T* values() const {
    return reinterpret_cast<const T*>(values_.data());
  }

  /// nullptr when no row is NULL; else one byte per row, 1 = NULL.
  [[nodiscard]] const uint8_t* nulls() const { return has_nulls_ ? nulls_data() : nullptr; }
  [[nodiscard]] bool is_null(uint32_t row) const { return has_nulls_ && nulls_data()[row] != 0; }
  [[nodiscard]] bool has_nulls() const { return has_nulls_; }
  /// The mask for writing; created all zero on first use.
  uint8_t* mutable_nulls();
  /// Marks NULL and zeroes the value slot. A list becomes empty there only if offsets say so; struct children are the
  /// caller's.
  void set_null(uint32_t row);

  // Lists (ARRAY and MAP): offsets has size()+1 entries; child 0 holds the elements (MAP: a struct of key and value).
  [[nodiscard]] std::vector<uint32_t>& offsets() { return offsets_; }
  [[nodiscard]] const std::vector<uint32_t>& offsets() const { return offsets_; }
  [[nodiscard]] std::vector<ColumnPtr>& children() { return children_; }
  [[nodiscard]] const std::vector<ColumnPtr>& children() const { return children_; }

 private:
  [[nodiscard]] const uint8_t* nulls_data() const { return reinterpret_cast<const uint8_t*>(nulls_.data()); }

  PhysicalType type_;
  uint32_t size_ = 0;
  bool has_nulls_ = false;
  Buffer values_;
  Buffer nulls_;
  std::vector<uint32_t> offsets_;
  std::vector<ColumnPtr> children_;
};

/// An empty column for a type, with (empty) children in place.
std::shared_ptr<Column> make_column(const DataType& type);

/// Copies `count` rows picked by `rows` (nullptr: rows 0..count-1) to the end of `out`. Strings are copied into `arena`
/// when it is given, else the references are shared and the caller keeps the source arenas alive.
void append_rows(const Column& from, const uint32_t* rows, uint32_t count, Column& out, Arena* arena);

}  // namespace millrace
