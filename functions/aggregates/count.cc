// COUNT(*), COUNT(x) and, through DistinctAggregate, COUNT(DISTINCT x).
#include "functions/aggregates/distinct.h"

#include <algorithm>
#include "functions/aggregates/loops.h"
#include "functions/aggregates/register.h"

namespace millrace {

namespace {

class CountAggregate final : public AggregateFunction {
 public:
  [[nodiscard]] uint32_t bytes() const override { return sizeof(int64_t); }

  void update(const AggregateInput& in, BlobPool& /*blobs*/) override {
    const bool nulls = std::ranges::any_of(in.args, [](const ColumnPtr& arg) { return arg->has_nulls(); });
    if (!nulls && in.kinds == nullptr) {
      for (char* state : in.states) ++state_of<int64_t>(state);
      return;
    }
    for (size_t i = 0; i < in.rows.size(); ++i) {
      const uint32_t row = in.rows[i];
      bool present = true;
      for (const ColumnPtr& arg : in.args) present = present && !arg->is_null(row);
      if (present) state_of<int64_t>(in.states[i]) += sign_of(in.kinds, row);
    }
  }

  void merge(char* into, const char* from, BlobPool& /*blobs*/) override {
    state_of<int64_t>(into) += state_of<int64_t>(from);
  }

  void finish(std::span<const char* const> states, Column& out, uint32_t first_row, Arena& /*arena*/,
              RowErrors& /*errors*/) override {
    int64_t* values = out.values<int64_t>() + first_row;
    for (size_t i = 0; i < states.size(); ++i) values[i] = state_of<int64_t>(states[i]);
  }

  void save(const char* state, ByteWriter& out) const override { put_packed(out, state_of<int64_t>(state)); }
  Status load(ByteReader& in, char* state, BlobPool& /*blobs*/) const override {
    state_of<int64_t>(state) = static_cast<int64_t>(get_packed(in));
    return in.ok() ? Status{} : truncated_state();
  }
};

std::unique_ptr<AggregateFunction> make_count(std::span<const TypePtr> types, const TypePtr& /*result*/, bool distinct,
                                              const void* /*bound*/) {
  auto count = std::make_unique<CountAggregate>();
  if (!distinct) return count;
  return make_distinct(types, std::move(count));
}

}  // namespace

void register_count(FunctionRegistry& functions) {
  auto resolve = [](std::span<const TypePtr> types) -> Result<ResolvedCall> {
    return ResolvedCall{make_type(TypeKind::kBigInt, false), {types.begin(), types.end()}, nullptr};
  };
  add_aggregate(functions, "COUNT", "Number of rows, or of rows whose arguments are not NULL.", resolve, make_count,
                false, true);
}

}  // namespace millrace
