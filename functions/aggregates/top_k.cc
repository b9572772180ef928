// TOP_K(x, k): the k largest values, largest first; equal values count each, with DISTINCT once. A state row names one
// blob with the values so far, which is replaced only when a value gets in, so most rows cost one comparison.
#include <algorithm>
#include <cmath>

#include "functions/aggregates/distinct.h"
#include "functions/aggregates/loops.h"
#include "functions/aggregates/register.h"

namespace millrace {

namespace {

constexpr int32_t kTopKMax = 1000;

struct TopKState {
  BlobRef values;
  uint32_t count;
  uint32_t k;
};

/// NaN is the largest, as in ORDER BY.
template <class T>
bool top_k_greater(const T& a, const T& b) {
  if constexpr (std::is_floating_point_v<T>) {
    if (std::isnan(a) || std::isnan(b)) return std::isnan(a) && !std::isnan(b);
  }
  return a > b;
}

template <class T>
void put_top_k(ByteWriter& out, const T& value) {
  if constexpr (std::is_same_v<T, std::string_view>) {
    out.put_string(value);
  } else {
    out.put(value);
  }
}
template <class T>
T get_top_k(ByteReader& in) {
  if constexpr (std::is_same_v<T, std::string_view>) {
    return in.get_string();
  } else {
    return in.get<T>();
  }
}

/// T: what is compared and kept; texts as string_view of the blob.
template <class T, class Slot>
class TopKAggregate final : public AggregateFunction {
 public:
  [[nodiscard]] uint32_t bytes() const override { return sizeof(TopKState); }

  void update(const AggregateInput& in, BlobPool& blobs) override {
    const auto* limits = in.args[1]->values<int32_t>();
    each_value<Slot>(in, [&](char* bytes, const Slot& slot, size_t i, int64_t /*sign*/) {
      auto& state = state_of<TopKState>(bytes);
      if (state.k == 0) state.k = static_cast<uint32_t>(std::clamp(limits[in.rows[i]], 1, kTopKMax));
      if constexpr (std::is_same_v<T, std::string_view>) {
        add(state, slot.view(), blobs);
      } else {
        add(state, slot, blobs);
      }
    });
  }

  void merge(char* into, const char* from, BlobPool& blobs) override {
    auto& a = state_of<TopKState>(into);
    const auto& b = state_of<TopKState>(from);
    if (b.count == 0) return;
    if (a.k == 0) a.k = b.k;
    for (const T& value : values_of(b)) add(a, value, blobs);
  }

  void finish(std::span<const char* const> states, Column& out, uint32_t first_row, Arena& arena,
              RowErrors& /*errors*/) override {
    const auto child = std::const_pointer_cast<Column>(out.children()[0]);
    out.resize(first_row + static_cast<uint32_t>(states.size()));
    for (size_t i = 0; i < states.size(); ++i) {
      const uint32_t row = first_row + static_cast<uint32_t>(i);
      const auto& state = state_of<TopKState>(states[i]);
      for (const T& value : values_of(state)) {
        const uint32_t at = child->size();
        child->resize(at + 1);
        if constexpr (std::is_same_v<T, std::string_view>) {
          child->values<Slot>()[at] = arena.copy(value);
        } else {
          child->values<Slot>()[at] = value;
        }
      }
      out.offsets()[row + 1] = child->size();
      if (state.count == 0) out.set_null(row);
    }
  }

  void drop(char* state, BlobPool& blobs) const override {
    auto& top = state_of<TopKState>(state);
    if (!top.values.empty()) blobs.release(top.values);
    top = TopKState{};
  }

  void save(const char* state, ByteWriter& out) const override {
    const auto& top = state_of<TopKState>(state);
    out.put_varint(top.k);
    out.put_varint(top.count);
    for (const T& value : values_of(top)) put_top_k(out, value);
  }
  Status load(ByteReader& in, char* state, BlobPool& blobs) const override {
    auto& top = state_of<TopKState>(state);
    const uint64_t k = in.get_varint();
    const uint64_t count = in.get_varint();
    if (!in.ok() || k > kTopKMax || count > k) return truncated_state();
    std::vector<T> values;
    for (uint64_t i = 0; i < count && in.ok(); ++i) values.push_back(get_top_k<T>(in));
    if (!in.ok()) return truncated_state();
    top.k = static_cast<uint32_t>(k);
    store(top, values, blobs);
    return {};
  }

 private:
  static std::vector<T> values_of(const TopKState& state) {
    std::vector<T> values;
    if (state.count == 0) return values;
    values.reserve(state.count + 1);
    ByteReader in(state.values.view());
    for (uint32_t i = 0; i < state.count; ++i) values.push_back(get_top_k<T>(in));
    return values;
  }

  static void store(TopKState& state, const std::vector<T>& values, BlobPool& blobs) {
    ByteWriter out;
    for (const T& value : values) put_top_k(out, value);
    const BlobRef old = state.values;
    state.count = static_cast<uint32_t>(values.size());
    state.values = values.empty() ? BlobRef{} : blobs.add(out.view());
    if (!old.empty()) blobs.release(old);
  }

  /// The smallest stands last.
  static void add(TopKState& state, const T& value, BlobPool& blobs) {
    std::vector<T> values = values_of(state);
    if (values.size() == state.k && !top_k_greater(value, values.back())) return;
    const auto at = std::ranges::upper_bound(values, value, [](const T& a, const T& b) { return top_k_greater(a, b); });
    values.insert(at, value);
    if (values.size() > state.k) values.pop_back();
    store(state, values, blobs);
  }
};

std::unique_ptr<AggregateFunction> make_top_k(std::span<const TypePtr> types, const TypePtr& /*result*/, bool distinct,
                                              const void* /*bound*/) {
  std::unique_ptr<AggregateFunction> made;
  const bool fixed =
      with_fixed_type(types[0]->physical(), [&]<class T>() { made = std::make_unique<TopKAggregate<T, T>>(); });
  if (!fixed) made = std::make_unique<TopKAggregate<std::string_view, StringRef>>();
  if (!distinct) return made;
  return make_distinct(types, std::move(made));
}

Result<ResolvedCall> resolve_top_k(std::span<const TypePtr> types) {
  if (types.size() != 2) return make_error(ErrorCode::kTypeMismatch, "TOP_K takes a value and how many: TOP_K(x, 3)");
  const DataType& value = *types[0];
  const bool ordered = value.is_numeric() || value.is_text() || value.is_temporal() ||
                       value.kind == TypeKind::kBoolean || value.kind == TypeKind::kBytes;
  if (!ordered) return wrong_argument("TOP_K", value, "a value that has an order");
  if (!types[1]->is_integer()) return wrong_argument("TOP_K", *types[1], "a whole number as second argument");
  const TypePtr element = with_nullable(types[0], true);
  return ResolvedCall{make_array(element), {types[0], make_type(TypeKind::kInt, false)}, nullptr};
}

}  // namespace

void register_top_k(FunctionRegistry& functions) {
  add_aggregate(functions, "TOP_K", "The k largest values, largest first: TOP_K(x, 3); NULLs are skipped.",
                resolve_top_k, make_top_k);
}

}  // namespace millrace
