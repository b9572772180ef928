// BOOL_AND (also EVERY) and BOOL_OR (also SOME): counts of TRUE and FALSE, so that updates can be taken back.
#include "functions/aggregates/loops.h"
#include "functions/aggregates/register.h"

namespace millrace {

namespace {

template <bool kAnd>
class BooleanAggregate final : public AggregateFunction {
 public:
  struct State {
    int64_t count_true;
    int64_t count_false;
  };
  [[nodiscard]] uint32_t bytes() const override { return sizeof(State); }

  void update(const AggregateInput& in, BlobPool& /*blobs*/) override {
    each_value<uint8_t>(in, [](char* bytes, uint8_t value, size_t /*i*/, int64_t sign) {
      auto& state = state_of<State>(bytes);
      (value != 0 ? state.count_true : state.count_false) += sign;
    });
  }
  void merge(char* into, const char* from, BlobPool& /*blobs*/) override {
    state_of<State>(into).count_true += state_of<State>(from).count_true;
    state_of<State>(into).count_false += state_of<State>(from).count_false;
  }
  void finish(std::span<const char* const> states, Column& out, uint32_t first_row, Arena& /*arena*/,
              RowErrors& /*errors*/) override {
    auto* values = out.values<uint8_t>();
    for (size_t i = 0; i < states.size(); ++i) {
      const auto& state = state_of<State>(states[i]);
      const uint32_t row = first_row + static_cast<uint32_t>(i);
      values[row] = (kAnd ? state.count_false == 0 : state.count_true > 0) ? 1 : 0;
      if (state.count_true == 0 && state.count_false == 0) out.set_null(row);
    }
  }
  void save(const char* state, ByteWriter& out) const override {
    out.put(state_of<State>(state).count_true);
    out.put(state_of<State>(state).count_false);
  }
  Status load(ByteReader& in, char* state, BlobPool& /*blobs*/) const override {
    state_of<State>(state).count_true = in.get<int64_t>();
    state_of<State>(state).count_false = in.get<int64_t>();
    return in.ok() ? Status{} : truncated_state();
  }
};

template <bool kAnd>
std::unique_ptr<AggregateFunction> make_boolean(std::span<const TypePtr> /*types*/, const TypePtr& /*result*/,
                                                bool /*distinct*/, const void* /*bound*/) {
  return std::make_unique<BooleanAggregate<kAnd>>();
}

Result<ResolvedCall> resolve_boolean(const std::string& name, std::span<const TypePtr> types) {
  MR_TRY(one_argument(name, types));
  if (types[0]->kind != TypeKind::kBoolean) return wrong_argument(name, *types[0], "a condition");
  return ResolvedCall{make_type(TypeKind::kBoolean), {types[0]}, nullptr};
}

}  // namespace

void register_booleans(FunctionRegistry& functions) {
  for (const char* name : {"BOOL_AND", "EVERY"}) {
    add_aggregate(
        functions, name, "TRUE when no value is FALSE; NULLs are skipped.",
        [name](std::span<const TypePtr> types) { return resolve_boolean(name, types); }, make_boolean<true>, false,
        true);
  }
  for (const char* name : {"BOOL_OR", "SOME"}) {
    add_aggregate(
        functions, name, "TRUE when a value is TRUE; NULLs are skipped.",
        [name](std::span<const TypePtr> types) { return resolve_boolean(name, types); }, make_boolean<false>, false,
        true);
  }
}

}  // namespace millrace
