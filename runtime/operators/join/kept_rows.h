// The rows of one input that a join keeps, as columns: a batch is appended column by column, pairs are gathered column
// by column, and no row is ever encoded except into a snapshot. Rows lie in chunks in the order in which they came; a
// chunk goes when all of its rows are released, so a row that stays long keeps its chunk. Task's thread.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "data/batch.h"

namespace millrace {

class KeptRows {
 public:
  using Ref = uint32_t;  // chunk and row in one
  static constexpr Ref kNone = UINT32_MAX;

  explicit KeptRows(SchemaPtr schema) : schema_(std::move(schema)) {}

  /// Appends the selected rows of a batch and the reference of each to `refs`.
  void append(const Batch& batch, std::vector<Ref>& refs);
  /// Appends one row in the form of data/row_codec.h; kNone: damaged.
  Ref append(std::string_view encoded);
  void encode(Ref ref, std::string& out) const;

  /// The row is not needed any more, except by a gather() before the next sweep().
  void release(Ref ref) { --chunks_[ref >> kRowBits].live; }
  /// Frees the chunks without a row in use.
  void sweep();

  /// Appends these rows of one column (kNone: NULL) to `out`; text is copied into `arena`.
  void gather(size_t column, std::span<const Ref> refs, Column& out, Arena& arena) const;

 private:
  static constexpr uint32_t kRowBits = 12;
  static constexpr uint32_t kChunkRows = 1u << kRowBits;
  struct Chunk {
    std::vector<std::shared_ptr<Column>> columns;  // empty: free
    ArenaPtr arena;
    uint32_t rows = 0;
    uint32_t live = 0;
  };
  void open_chunk();
  void append_columns(const Batch& batch, const uint32_t* rows, uint32_t count, Chunk& chunk) const;
  template <class T>
  void gather_values(size_t column, std::span<const Ref> refs, Column& out, uint32_t base) const;
  void gather_nulls(size_t column, std::span<const Ref> refs, Column& out, uint32_t base) const;
  void gather_nested(size_t column, std::span<const Ref> refs, Column& out, Arena& arena) const;

  SchemaPtr schema_;
  std::vector<Chunk> chunks_;
  std::vector<uint32_t> free_;
  uint32_t current_ = UINT32_MAX;  // the chunk that takes rows
};

}  // namespace millrace
