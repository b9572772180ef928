// What the author of an aggregate writes. An accumulator is a fixed-width piece of a state row (bytes(), 16-byte aligned
// start), zero-filled before its first update unless init() says otherwise; variable-length parts live in immutable blobs
// of the table's BlobPool. update() gets a whole batch: states[i] belongs to rows[i].
#pragma once

#include <cstdint>
#include <memory>
#include <span>

#include "core/bytes.h"
#include "core/status.h"
#include "data/batch.h"
#include "data/column.h"
#include "data/types.h"
#include "runtime/spi/function.h"
#include "state/blob_pool.h"

namespace millrace {

struct AggregateInput {
  std::span<const ColumnPtr> args;   // full physical length; COUNT(*) has none
  std::span<const uint32_t> rows;    // physical rows to aggregate (after FILTER)
  std::span<char* const> states;     // accumulator of each row
  const uint8_t* kinds = nullptr;    // RowKind per physical row; null = all inserts. -U and -D retract.
  uint64_t first_arrival = 0;        // arrival number of rows[0]; rows[i] has first_arrival + i …
  const uint32_t* positions = nullptr;  // … or first_arrival + positions[i] when given

  [[nodiscard]] uint64_t arrival(size_t i) const { return first_arrival + (positions != nullptr ? positions[i] : i); }
};

class AggregateFunction {
 public:
  virtual ~AggregateFunction() = default;
  [[nodiscard]] virtual uint32_t bytes() const = 0;
  virtual void init(char* /*state*/) const {}
  virtual void update(const AggregateInput& input, BlobPool& blobs) = 0;
  /// Adds what `from` collected to `into`. Order-sensitive ones go by arrival number.
  virtual void merge(char* into, const char* from, BlobPool& blobs) = 0;
  /// Results of many states into rows [first_row, first_row + states.size()) of `out`, which is resized already; lists
  /// and structs are not: there `out` has first_row rows and the function appends.
  virtual void finish(std::span<const char* const> states, Column& out, uint32_t first_row, Arena& arena,
                      RowErrors& errors) = 0;
  /// Releases blobs before a state row is dropped.
  virtual void drop(char* /*state*/, BlobPool& /*blobs*/) const {}
  /// The portable form inside snapshots; independent of memory layout.
  virtual void save(const char* state, ByteWriter& out) const = 0;
  virtual Status load(ByteReader& in, char* state, BlobPool& blobs) const = 0;
};

struct AggregateFactory {
  /// `arg_types` are the resolved ones, `distinct` asks for the DISTINCT variant.
  std::unique_ptr<AggregateFunction> (*make)(std::span<const TypePtr> arg_types, const TypePtr& result, bool distinct,
                                             const void* bound) = nullptr;
};

}  // namespace millrace
