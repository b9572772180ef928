#include "data/column.h"

#include <algorithm>
#include <cstdlib>
#include <utility>

namespace millrace {

namespace {
constexpr size_t kBufferAlignment = 64;
constexpr size_t kArenaPadding = 64;  // simdjson reads up to 64 bytes behind its input
}  // namespace

Buffer::~Buffer() { std::free(data_); }

Buffer::Buffer(Buffer&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)),
      size_(std::exchange(other.size_, 0)),
      capacity_(std::exchange(other.capacity_, 0)) {}

Buffer& Buffer::operator=(Buffer&& other) noexcept {
  std::swap(data_, other.data_);
  std::swap(size_, other.size_);
  std::swap(capacity_, other.capacity_);
  return *this;
}

void Buffer::resize(size_t bytes) {
  if (bytes > capacity_) {
    size_t capacity = std::max(bytes, capacity_ * 2);
    capacity = (capacity + kBufferAlignment - 1) / kBufferAlignment * kBufferAlignment;
    char* grown = static_cast<char*>(std::aligned_alloc(kBufferAlignment, capacity));
    MR_CHECK(grown != nullptr, "out of memory");
    if (size_ > 0) std::memcpy(grown, data_, size_);
    std::free(data_);
    data_ = grown;
    capacity_ = capacity;
  }
  size_ = bytes;
}

Arena::~Arena() {
  for (char* chunk : chunks_) std::free(chunk);
}

char* Arena::allocate(size_t bytes) {
  if (bytes > left_) return allocate_slow(bytes);
  char* result = cursor_;
  cursor_ += bytes;
  left_ -= bytes;
  return result;
}

char* Arena::allocate_slow(size_t bytes) {
  const size_t size = std::max(bytes, chunk_bytes_);
  char* chunk = static_cast<char*>(std::malloc(size + kArenaPadding));
  MR_CHECK(chunk != nullptr, "out of memory");
  std::memset(chunk + size, 0, kArenaPadding);
  chunks_.push_back(chunk);
  bytes_ += size + kArenaPadding;
  if (size - bytes > left_) {
    cursor_ = chunk + bytes;
    left_ = size - bytes;
  }
  return chunk;
}

StringRef Arena::copy(std::string_view text) {
  if (text.empty()) return StringRef(std::string_view("", 0));
  char* to = allocate(text.size());
  std::memcpy(to, text.data(), text.size());
  return StringRef(std::string_view(to, text.size()));
}

size_t physical_width(PhysicalType type) {
  switch (type) {
    case PhysicalType::kBool:
      return 1;
    case PhysicalType::kInt32:
    case PhysicalType::kFloat:
      return 4;
    case PhysicalType::kInt64:
    case PhysicalType::kDouble:
      return 8;
    case PhysicalType::kInt128:
    case PhysicalType::kString:
      return 16;
    case PhysicalType::kList:
    case PhysicalType::kStruct:
      return 0;
  }
  return 0;
}

void Column::resize(uint32_t rows) {
  values_.resize(rows * physical_width(type_));
  if (has_nulls_) {
    nulls_.resize(rows);
    if (rows > size_) std::memset(nulls_.data() + size_, 0, rows - size_);
  }
  if (type_ == PhysicalType::kList) offsets_.resize(rows + 1, offsets_.empty() ? 0 : offsets_.back());
  size_ = rows;
}

uint8_t* Column::mutable_nulls() {
  if (!has_nulls_) {
    nulls_.resize(size_);
    if (size_ > 0) std::memset(nulls_.data(), 0, size_);
    has_nulls_ = true;
  }
  return reinterpret_cast<uint8_t*>(nulls_.data());
}

void Column::set_null(uint32_t row) {
  mutable_nulls()[row] = 1;
  const size_t width = physical_width(type_);
  if (width > 0) std::memset(values_.data() + row * width, 0, width);
}

std::shared_ptr<Column> make_column(const DataType& type) {
  auto column = std::make_shared<Column>(type.physical());
  if (type.kind == TypeKind::kArray) {
    column->children().push_back(make_column(*type.children[0]));
  } else if (type.kind == TypeKind::kMap) {
    auto entry = std::make_shared<Column>(PhysicalType::kStruct);
    entry->children().push_back(make_column(*type.children[0]));
    entry->children().push_back(make_column(*type.children[1]));
    column->children().push_back(std::move(entry));
  } else if (type.kind == TypeKind::kRow) {
    for (const TypePtr& child : type.children) column->children().push_back(make_column(*child));
  }
  if (column->type() == PhysicalType::kList) column->offsets().push_back(0);
  return column;
}

namespace {

/// Columns under construction own their children alone, so writing through the shared pointer is safe.
Column& child_of(Column& column, size_t i) { return const_cast<Column&>(*column.children()[i]); }

template <class T>
void append_values(const Column& from, const uint32_t* rows, uint32_t count, Column& out, uint32_t base) {
  const T* in = from.values<T>();
  T* to = out.values<T>() + base;
  if (rows == nullptr) {
    if (count > 0) std::memcpy(to, in, count * sizeof(T));
    return;
  }
  for (uint32_t i = 0; i < count; ++i) to[i] = in[rows[i]];
}

void copy_strings(Column& out, uint32_t base, uint32_t count, Arena& arena) {
  StringRef* refs = out.values<StringRef>() + base;
  for (uint32_t i = 0; i < count; ++i) {
    if (refs[i].size > 0) refs[i] = arena.copy(refs[i].view());
  }
}

void append_nulls(const Column& from, const uint32_t* rows, uint32_t count, Column& out, uint32_t base) {
  if (!from.has_nulls()) return;
  const uint8_t* in = from.nulls();
  uint8_t* to = out.mutable_nulls() + base;
  for (uint32_t i = 0; i < count; ++i) to[i] = in[rows == nullptr ? i : rows[i]];
}

void append_lists(const Column& from, const uint32_t* rows, uint32_t count, Column& out, uint32_t base, Arena* arena) {
  std::vector<uint32_t> elements;
  uint32_t end = out.offsets()[base];
  for (uint32_t i = 0; i < count; ++i) {
    const uint32_t row = rows == nullptr ? i : rows[i];
    for (uint32_t e = from.offsets()[row]; e < from.offsets()[row + 1]; ++e) elements.push_back(e);
    end += from.offsets()[row + 1] - from.offsets()[row];
    out.offsets()[base + i + 1] = end;
  }
  append_rows(*from.children()[0], elements.data(), static_cast<uint32_t>(elements.size()), child_of(out, 0), arena);
}

}  // namespace

void append_rows(const Column& from, const uint32_t* rows, uint32_t count, Column& out, Arena* arena) {
  if (count == 0) return;
  const uint32_t base = out.size();
  out.resize(base + count);
  append_nulls(from, rows, count, out, base);
  switch (from.type()) {
    case PhysicalType::kBool:
      append_values<uint8_t>(from, rows, count, out, base);
      break;
    case PhysicalType::kInt32:
    case PhysicalType::kFloat:
      append_values<uint32_t>(from, rows, count, out, base);
      break;
    case PhysicalType::kInt64:
    case PhysicalType::kDouble:
      append_values<uint64_t>(from, rows, count, out, base);
      break;
    case PhysicalType::kInt128:
      append_values<int128>(from, rows, count, out, base);
      break;
    case PhysicalType::kString:
      append_values<StringRef>(from, rows, count, out, base);
      if (arena != nullptr) copy_strings(out, base, count, *arena);
      break;
    case PhysicalType::kList:
      append_lists(from, rows, count, out, base, arena);
      break;
    case PhysicalType::kStruct:
      for (size_t i = 0; i < from.children().size(); ++i) {
        append_rows(*from.children()[i], rows, count, child_of(out, i), arena);
      }
      break;
  }
}

}  // namespace millrace
