// A list of byte strings in order of arrival as an accumulator: what LISTAGG, ARRAY_AGG and the JSON aggregates share.
// A state row names the newest of a chain of blobs, each of which names the one before it; so adding a value copies
// nothing and views stay right.
#pragma once

#include <cstdint>
#include <string_view>
#include <utility>
#include <vector>

#include "runtime/spi/aggregate.h"

namespace millrace {

struct ListState {
  BlobRef newest;
  uint64_t count;
};

void push_item(ListState& state, uint64_t arrival, std::string_view bytes, BlobPool& blobs);
/// Arrival and bytes, oldest first; the views point into the blobs.
std::vector<std::pair<uint64_t, std::string_view>> list_items(const ListState& state);

/// Everything but update() and finish().
class ListBase : public AggregateFunction {
 public:
  [[nodiscard]] uint32_t bytes() const override { return sizeof(ListState); }
  void merge(char* into, const char* from, BlobPool& blobs) override;
  void drop(char* state, BlobPool& blobs) const override;
  void save(const char* state, ByteWriter& out) const override;
  Status load(ByteReader& in, char* state, BlobPool& blobs) const override;
};

}  // namespace millrace
