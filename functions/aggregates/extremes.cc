// MIN and MAX of every type with an order. Text and bytes compare by bytes and live in a blob; NaN is the greatest
// number.
#include <cmath>

#include "functions/aggregates/loops.h"
#include "functions/aggregates/register.h"

namespace millrace {

namespace {

template <class T>
bool extreme_less(T a, T b) {
  if constexpr (std::is_floating_point_v<T>) {
    if (std::isnan(a)) return false;
    if (std::isnan(b)) return true;
  }
  return a < b;
}

template <class T, bool kMax>
class FixedExtreme final : public AggregateFunction {
 public:
  struct State {
    T value;
    uint8_t set;
  };
  [[nodiscard]] uint32_t bytes() const override { return sizeof(State); }

  void update(const AggregateInput& in, BlobPool& /*blobs*/) override {
    each_value<T>(in, [](char* bytes, T value, size_t /*i*/, int64_t /*sign*/) { take(bytes, value); });
  }
  void merge(char* into, const char* from, BlobPool& /*blobs*/) override {
    const auto& other = state_of<State>(from);
    if (other.set != 0) take(into, other.value);
  }
  void finish(std::span<const char* const> states, Column& out, uint32_t first_row, Arena& /*arena*/,
              RowErrors& /*errors*/) override {
    T* values = out.values<T>();
    for (size_t i = 0; i < states.size(); ++i) {
      const auto& state = state_of<State>(states[i]);
      const uint32_t row = first_row + static_cast<uint32_t>(i);
      values[row] = state.value;
      if (state.set == 0) out.set_null(row);
    }
  }
  void save(const char* state, ByteWriter& out) const override {
    out.put(state_of<State>(state).set);
    out.put(state_of<State>(state).value);
  }
  Status load(ByteReader& in, char* state, BlobPool& /*blobs*/) const override {
    state_of<State>(state).set = in.get<uint8_t>();
    state_of<State>(state).value = in.get<T>();
    return in.ok() ? Status{} : truncated_state();
  }

 private:
  static void take(char* bytes, T value) {
    auto& state = state_of<State>(bytes);
    const bool better = kMax ? extreme_less(state.value, value) : extreme_less(value, state.value);
    if (state.set == 0 || better) {
      state.value = value;
      state.set = 1;
    }
  }
};

template <bool kMax>
class TextExtreme final : public AggregateFunction {
 public:
  [[nodiscard]] uint32_t bytes() const override { return sizeof(BlobRef); }

  void update(const AggregateInput& in, BlobPool& blobs) override {
    each_value<StringRef>(in, [&](char* bytes, const StringRef& value, size_t /*i*/, int64_t /*sign*/) {
      take(bytes, value.view(), blobs);
    });
  }
  void merge(char* into, const char* from, BlobPool& blobs) override {
    const auto& other = state_of<BlobRef>(from);
    if (!other.empty()) take(into, other.view(), blobs);
  }
  void finish(std::span<const char* const> states, Column& out, uint32_t first_row, Arena& arena,
              RowErrors& /*errors*/) override {
    StringRef* values = out.values<StringRef>();
    for (size_t i = 0; i < states.size(); ++i) {
      const auto& state = state_of<BlobRef>(states[i]);
      const uint32_t row = first_row + static_cast<uint32_t>(i);
      if (state.empty()) {
        out.set_null(row);
      } else {
        values[row] = arena.copy(state.view());
      }
    }
  }
  void drop(char* state, BlobPool& blobs) const override {
    auto& blob = state_of<BlobRef>(state);
    if (!blob.empty()) blobs.release(blob);
    blob = BlobRef{};
  }
  void save(const char* state, ByteWriter& out) const override {
    const auto& blob = state_of<BlobRef>(state);
    out.put(static_cast<uint8_t>(blob.empty() ? 0 : 1));
    if (!blob.empty()) out.put_string(blob.view());
  }
  Status load(ByteReader& in, char* state, BlobPool& blobs) const override {
    if (in.get<uint8_t>() != 0) state_of<BlobRef>(state) = blobs.add(in.get_string());
    return in.ok() ? Status{} : truncated_state();
  }

 private:
  static void take(char* bytes, std::string_view value, BlobPool& blobs) {
    auto& state = state_of<BlobRef>(bytes);
    if (!state.empty()) {
      const int order = value.compare(state.view());
      if (kMax ? order <= 0 : order >= 0) return;
      blobs.release(state);
    }
    state = blobs.add(value);
  }
};

template <bool kMax>
std::unique_ptr<AggregateFunction> make_extreme(std::span<const TypePtr> types, const TypePtr& /*result*/,
                                                bool /*distinct*/, const void* /*bound*/) {
  std::unique_ptr<AggregateFunction> made;
  const bool fixed =
      with_fixed_type(types[0]->physical(), [&]<class T>() { made = std::make_unique<FixedExtreme<T, kMax>>(); });
  if (!fixed) made = std::make_unique<TextExtreme<kMax>>();
  return made;
}

Result<ResolvedCall> resolve_extreme(const std::string& name, std::span<const TypePtr> types) {
  MR_TRY(one_argument(name, types));
  const PhysicalType layout = types[0]->physical();
  const bool ordered = types[0]->kind != TypeKind::kNull && types[0]->kind != TypeKind::kVariant &&
                       layout != PhysicalType::kList && layout != PhysicalType::kStruct;
  if (!ordered) return wrong_argument(name, *types[0], "a type with an order");
  return ResolvedCall{with_nullable(types[0], true), {types[0]}, nullptr};
}

}  // namespace

void register_extremes(FunctionRegistry& functions) {
  add_aggregate(
      functions, "MIN", "Smallest value that is not NULL.",
      [](std::span<const TypePtr> types) { return resolve_extreme("MIN", types); }, make_extreme<false>);
  add_aggregate(
      functions, "MAX", "Greatest value that is not NULL.",
      [](std::span<const TypePtr> types) { return resolve_extreme("MAX", types); }, make_extreme<true>);
}

}  // namespace millrace
