#include "runtime/operators/join/kept_rows.h"

#include <algorithm>
#include <numeric>

#include "core/status.h"
#include "data/row_codec.h"

namespace millrace {

void KeptRows::open_chunk() {
  if (current_ != UINT32_MAX && chunks_[current_].rows < kChunkRows) return;
  if (free_.empty()) {
    MR_CHECK(chunks_.size() < (size_t{1} << (32 - kRowBits)) - 1, "a join keeps too many rows");
    free_.push_back(static_cast<uint32_t>(chunks_.size()));
    chunks_.emplace_back();
  }
  current_ = free_.back();
  free_.pop_back();
  Chunk& chunk = chunks_[current_];
  for (const Field& field : schema_->fields) chunk.columns.push_back(make_column(*field.type));
  chunk.arena = std::make_shared<Arena>();
  chunk.rows = 0;
  chunk.live = 0;
}

void KeptRows::append_columns(const Batch& batch, const uint32_t* rows, uint32_t count, Chunk& chunk) const {
  for (size_t i = 0; i < chunk.columns.size(); ++i) {
    if (batch.columns[i]) {
      append_rows(*batch.columns[i], rows, count, *chunk.columns[i], chunk.arena.get());
    } else {
      for (uint32_t row = 0; row < count; ++row) append_null(*chunk.columns[i]);
    }
  }
}

void KeptRows::append(const Batch& batch, std::vector<Ref>& refs) {
  std::vector<uint32_t> all;
  if (!batch.selection) {
    all.resize(batch.rows);
    std::iota(all.begin(), all.end(), 0U);
  }
  const std::vector<uint32_t>& rows = batch.selection ? *batch.selection : all;
  for (size_t from = 0; from < rows.size();) {
    open_chunk();
    Chunk& chunk = chunks_[current_];
    const auto count = static_cast<uint32_t>(std::min<size_t>(rows.size() - from, kChunkRows - chunk.rows));
    append_columns(batch, rows.data() + from, count, chunk);
    for (uint32_t i = 0; i < count; ++i) refs.push_back((current_ << kRowBits) | (chunk.rows + i));
    chunk.rows += count;
    chunk.live += count;
    from += count;
  }
}

KeptRows::Ref KeptRows::append(std::string_view encoded) {
  open_chunk();
  Chunk& chunk = chunks_[current_];
  if (!decode_row(encoded, chunk.columns, *chunk.arena)) return kNone;
  ++chunk.live;
  return (current_ << kRowBits) | chunk.rows++;
}

void KeptRows::encode(Ref ref, std::string& out) const {
  const Chunk& chunk = chunks_[ref >> kRowBits];
  Batch view;
  view.rows = chunk.rows;
  view.columns.assign(chunk.columns.begin(), chunk.columns.end());
  encode_row(view, ref & (kChunkRows - 1), out);
}

void KeptRows::sweep() {
  for (uint32_t i = 0; i < chunks_.size(); ++i) {
    Chunk& chunk = chunks_[i];
    if (chunk.live > 0 || chunk.rows == 0) continue;
    chunk = {};
    free_.push_back(i);
    if (current_ == i) current_ = UINT32_MAX;
  }
}

template <class T>
void KeptRows::gather_values(size_t column, std::span<const Ref> refs, Column& out, uint32_t base) const {
  T* to = out.values<T>() + base;
  for (size_t i = 0; i < refs.size(); ++i) {
    const Ref ref = refs[i];
    if (ref == kNone) {
      to[i] = T{};
    } else {
      to[i] = chunks_[ref >> kRowBits].columns[column]->values<T>()[ref & (kChunkRows - 1)];
    }
  }
}

void KeptRows::gather_nulls(size_t column, std::span<const Ref> refs, Column& out, uint32_t base) const {
  uint8_t* nulls = nullptr;
  for (size_t i = 0; i < refs.size(); ++i) {
    const Ref ref = refs[i];
    if (ref != kNone && !chunks_[ref >> kRowBits].columns[column]->is_null(ref & (kChunkRows - 1))) continue;
    if (nulls == nullptr) nulls = out.mutable_nulls() + base;
    nulls[i] = 1;
  }
}

/// Lists and structs: one by one.
void KeptRows::gather_nested(size_t column, std::span<const Ref> refs, Column& out, Arena& arena) const {
  for (const Ref ref : refs) {
    if (ref == kNone) {
      append_null(out);
      continue;
    }
    const uint32_t row = ref & (kChunkRows - 1);
    append_rows(*chunks_[ref >> kRowBits].columns[column], &row, 1, out, &arena);
  }
}

void KeptRows::gather(size_t column, std::span<const Ref> refs, Column& out, Arena& arena) const {
  const uint32_t base = out.size();
  if (out.type() == PhysicalType::kList || out.type() == PhysicalType::kStruct) {
    return gather_nested(column, refs, out, arena);
  }
  out.resize(base + static_cast<uint32_t>(refs.size()));
  gather_nulls(column, refs, out, base);
  switch (physical_width(out.type())) {
    case 1:
      return gather_values<uint8_t>(column, refs, out, base);
    case 4:
      return gather_values<uint32_t>(column, refs, out, base);
    case 8:
      return gather_values<uint64_t>(column, refs, out, base);
    default:
      break;
  }
  if (out.type() != PhysicalType::kString) return gather_values<int128>(column, refs, out, base);
  gather_values<StringRef>(column, refs, out, base);
  StringRef* texts = out.values<StringRef>() + base;
  for (size_t i = 0; i < refs.size(); ++i) {
    if (texts[i].size > 0) texts[i] = arena.copy(texts[i].view());
  }
}

}  // namespace millrace
