// FIRST_VALUE and LAST_VALUE by arrival; NULLs are skipped. Accumulators keep the arrival number, so that panes merge
// in any order.
#include "functions/aggregates/loops.h"
#include "functions/aggregates/register.h"
#include "functions/aggregates/value_bytes.h"

namespace millrace {

namespace {

/// `arrival` is the row's number + 1; 0 = no value yet.
template <bool kLast>
bool arrives_better(uint64_t held, uint64_t arrival) {
  return held == 0 || (kLast ? arrival > held : arrival < held);
}

template <class T, bool kLast>
class FixedFirstLast final : public AggregateFunction {
 public:
  struct State {
    T value;
    uint64_t arrival;
  };
  [[nodiscard]] uint32_t bytes() const override { return sizeof(State); }

  void update(const AggregateInput& in, BlobPool& /*blobs*/) override {
    each_value<T>(in,
                  [&in](char* bytes, T value, size_t i, int64_t /*sign*/) { take(bytes, value, in.arrival(i) + 1); });
  }
  void merge(char* into, const char* from, BlobPool& /*blobs*/) override {
    const auto& other = state_of<State>(from);
    if (other.arrival != 0) take(into, other.value, other.arrival);
  }
  void finish(std::span<const char* const> states, Column& out, uint32_t first_row, Arena& /*arena*/,
              RowErrors& /*errors*/) override {
    T* values = out.values<T>();
    for (size_t i = 0; i < states.size(); ++i) {
      const auto& state = state_of<State>(states[i]);
      const uint32_t row = first_row + static_cast<uint32_t>(i);
      values[row] = state.value;
      if (state.arrival == 0) out.set_null(row);
    }
  }
  void save(const char* state, ByteWriter& out) const override {
    out.put(state_of<State>(state).arrival);
    out.put(state_of<State>(state).value);
  }
  Status load(ByteReader& in, char* state, BlobPool& /*blobs*/) const override {
    state_of<State>(state).arrival = in.get<uint64_t>();
    state_of<State>(state).value = in.get<T>();
    return in.ok() ? Status{} : truncated_state();
  }

 private:
  static void take(char* bytes, T value, uint64_t arrival) {
    auto& state = state_of<State>(bytes);
    if (!arrives_better<kLast>(state.arrival, arrival)) return;
    state.value = value;
    state.arrival = arrival;
  }
};

/// Text, and with `nested` lists and rows in key format.
template <bool kLast>
class BlobFirstLast final : public AggregateFunction {
 public:
  struct State {
    BlobRef value;
    uint64_t arrival;
  };
  BlobFirstLast(std::span<const TypePtr> types, bool nested) : values_(types), nested_(nested) {}
  [[nodiscard]] uint32_t bytes() const override { return sizeof(State); }

  void update(const AggregateInput& in, BlobPool& blobs) override {
    const EncodedKeys* encoded = nested_ ? &values_.encode(in.args, in.rows) : nullptr;
    const size_t count = in.rows.size();
    for (size_t k = 0; k < count; ++k) {
      // From the back for LAST_VALUE: only the last row of each state in this batch makes a blob.
      const size_t i = kLast ? count - 1 - k : k;
      const uint32_t row = in.rows[i];
      if (in.args[0]->is_null(row)) continue;
      take(in.states[i], encoded != nullptr ? encoded->keys[i] : in.args[0]->values<StringRef>()[row].view(),
           in.arrival(i) + 1, blobs);
    }
  }
  void merge(char* into, const char* from, BlobPool& blobs) override {
    const auto& other = state_of<State>(from);
    if (other.arrival != 0) take(into, other.value.view(), other.arrival, blobs);
  }
  void finish(std::span<const char* const> states, Column& out, uint32_t first_row, Arena& arena,
              RowErrors& /*errors*/) override {
    for (size_t i = 0; i < states.size(); ++i) {
      const auto& state = state_of<State>(states[i]);
      const uint32_t row = first_row + static_cast<uint32_t>(i);
      if (nested_) {
        finish_nested(state, out, arena);
      } else if (state.arrival == 0) {
        out.set_null(row);
      } else {
        out.values<StringRef>()[row] = arena.copy(state.value.view());
      }
    }
  }
  void drop(char* state, BlobPool& blobs) const override {
    auto& held = state_of<State>(state);
    if (held.arrival != 0) blobs.release(held.value);
    held = State{};
  }
  void save(const char* state, ByteWriter& out) const override {
    const auto& held = state_of<State>(state);
    out.put(held.arrival);
    if (held.arrival != 0) out.put_string(held.value.view());
  }
  Status load(ByteReader& in, char* state, BlobPool& blobs) const override {
    auto& held = state_of<State>(state);
    held.arrival = in.get<uint64_t>();
    if (held.arrival != 0) held.value = blobs.add(in.get_string());
    return in.ok() ? Status{} : truncated_state();
  }

 private:
  static void take(char* bytes, std::string_view value, uint64_t arrival, BlobPool& blobs) {
    auto& state = state_of<State>(bytes);
    if (!arrives_better<kLast>(state.arrival, arrival)) return;
    if (state.arrival != 0) blobs.release(state.value);
    state.value = blobs.add(value);
    state.arrival = arrival;
  }
  /// Nested columns grow by appending; the caller resized none of their children.
  void finish_nested(const State& state, Column& out, Arena& arena) {
    static constexpr std::string_view kNullValue{"\0", 1};
    const std::shared_ptr<Column> alias(std::shared_ptr<void>{}, &out);
    values_.decode(state.arrival == 0 ? kNullValue : state.value.view(), {&alias, 1}, arena);
  }

  ValueBytes values_;
  bool nested_;
};

template <bool kLast>
std::unique_ptr<AggregateFunction> make_first_last(std::span<const TypePtr> types, const TypePtr& /*result*/,
                                                   bool /*distinct*/, const void* /*bound*/) {
  const PhysicalType layout = types[0]->physical();
  std::unique_ptr<AggregateFunction> made;
  if (with_fixed_type(layout, [&]<class T>() { made = std::make_unique<FixedFirstLast<T, kLast>>(); })) return made;
  return std::make_unique<BlobFirstLast<kLast>>(types, layout != PhysicalType::kString);
}

Result<ResolvedCall> resolve_first_last(const std::string& name, std::span<const TypePtr> types) {
  MR_TRY(one_argument(name, types));
  if (types[0]->kind == TypeKind::kNull) return wrong_argument(name, *types[0], "a value with a type");
  return ResolvedCall{with_nullable(types[0], true), {types[0]}, nullptr};
}

}  // namespace

void register_first_last(FunctionRegistry& functions) {
  add_aggregate(
      functions, "FIRST_VALUE", "The value that arrived first; NULLs are skipped.",
      [](std::span<const TypePtr> types) { return resolve_first_last("FIRST_VALUE", types); }, make_first_last<false>,
      true);
  add_aggregate(
      functions, "LAST_VALUE", "The value that arrived last; NULLs are skipped.",
      [](std::span<const TypePtr> types) { return resolve_first_last("LAST_VALUE", types); }, make_first_last<true>,
      true);
}

}  // namespace millrace
