// SUM and AVG. Integers and DECIMAL are summed exactly: 128 bits and, for DECIMAL, a 64-bit carry above them, so that
// the order of rows never decides; the range is checked when the result is emitted.
#include "data/decimal.h"
#include "functions/aggregates/distinct.h"
#include "functions/aggregates/loops.h"
#include "functions/aggregates/register.h"

namespace millrace {

namespace {

using uint128 = unsigned __int128;

struct ExactSum {
  uint128 low;
  int64_t high;   // DECIMAL only: bits 128 to 191
  int64_t count;  // rows that are not NULL

  void add(int128 value) {
    const uint128 before = low;
    low += static_cast<uint128>(value);
    high += (value < 0 ? -1 : 0) + (low < before ? 1 : 0);
  }
  void subtract(int128 value) {
    const uint128 before = low;
    low -= static_cast<uint128>(value);
    high -= (value < 0 ? -1 : 0) + (low > before ? 1 : 0);
  }
  [[nodiscard]] bool fits() const { return high == (static_cast<int128>(low) < 0 ? -1 : 0); }
  [[nodiscard]] int128 value() const { return static_cast<int128>(low); }
};

/// Common to all exact sums; `T` is the argument's C++ type.
template <class T>
class ExactSumBase : public AggregateFunction {
 public:
  [[nodiscard]] uint32_t bytes() const override { return sizeof(ExactSum); }

  void update(const AggregateInput& in, BlobPool& /*blobs*/) override {
    each_value<T>(in, [](char* bytes, T value, size_t /*i*/, int64_t sign) {
      auto& state = state_of<ExactSum>(bytes);
      if constexpr (std::is_same_v<T, int128>) {
        sign > 0 ? state.add(value) : state.subtract(value);
      } else {
        // 2^63 rows of 64 bits stay inside 128 bits.
        state.low += static_cast<uint128>(static_cast<int128>(value) * sign);
      }
      state.count += sign;
    });
  }

  void merge(char* into, const char* from, BlobPool& /*blobs*/) override {
    auto& a = state_of<ExactSum>(into);
    const auto& b = state_of<ExactSum>(from);
    const uint128 before = a.low;
    a.low += b.low;
    a.high += b.high + (std::is_same_v<T, int128> && a.low < before ? 1 : 0);
    a.count += b.count;
  }

  void save(const char* state, ByteWriter& out) const override {
    const auto& sum = state_of<ExactSum>(state);
    put_packed(out, sum.value());
    put_packed(out, sum.high);
    put_packed(out, sum.count);
  }
  Status load(ByteReader& in, char* state, BlobPool& /*blobs*/) const override {
    auto& sum = state_of<ExactSum>(state);
    sum.low = static_cast<uint128>(get_packed(in));
    sum.high = static_cast<int64_t>(get_packed(in));
    sum.count = static_cast<int64_t>(get_packed(in));
    return in.ok() ? Status{} : truncated_state();
  }
};

template <class T>
class IntegerSum final : public ExactSumBase<T> {
 public:
  void finish(std::span<const char* const> states, Column& out, uint32_t first_row, Arena& /*arena*/,
              RowErrors& errors) override {
    int64_t* values = out.values<int64_t>();
    for (size_t i = 0; i < states.size(); ++i) {
      const auto& sum = state_of<ExactSum>(states[i]);
      const uint32_t row = first_row + static_cast<uint32_t>(i);
      values[row] = static_cast<int64_t>(sum.value());
      if (sum.count != 0 && values[row] == sum.value()) continue;
      if (sum.count != 0) errors.add(row, "SUM is out of the range of BIGINT");
      out.set_null(row);
    }
  }
};

class DecimalSum final : public ExactSumBase<int128> {
 public:
  void finish(std::span<const char* const> states, Column& out, uint32_t first_row, Arena& /*arena*/,
              RowErrors& errors) override {
    int128* values = out.values<int128>();
    for (size_t i = 0; i < states.size(); ++i) {
      const auto& sum = state_of<ExactSum>(states[i]);
      const uint32_t row = first_row + static_cast<uint32_t>(i);
      values[row] = sum.value();
      if (sum.count != 0 && sum.fits() && decimal_fits(sum.value(), kDecimalPrecisionMax)) continue;
      if (sum.count != 0) errors.add(row, "SUM has more than 38 digits");
      out.set_null(row);
    }
  }
};

/// Truncated toward zero, in the argument's type.
template <class T>
class IntegerAverage final : public ExactSumBase<T> {
 public:
  void finish(std::span<const char* const> states, Column& out, uint32_t first_row, Arena& /*arena*/,
              RowErrors& /*errors*/) override {
    T* values = out.values<T>();
    for (size_t i = 0; i < states.size(); ++i) {
      const auto& sum = state_of<ExactSum>(states[i]);
      const uint32_t row = first_row + static_cast<uint32_t>(i);
      if (sum.count == 0) {
        out.set_null(row);
      } else {
        values[row] = static_cast<T>(sum.value() / sum.count);
      }
    }
  }
};

class DecimalAverage final : public ExactSumBase<int128> {
 public:
  DecimalAverage(int scale, int result_scale) : scale_(scale), result_scale_(result_scale) {}

  void finish(std::span<const char* const> states, Column& out, uint32_t first_row, Arena& /*arena*/,
              RowErrors& errors) override {
    int128* values = out.values<int128>();
    for (size_t i = 0; i < states.size(); ++i) {
      const auto& sum = state_of<ExactSum>(states[i]);
      const uint32_t row = first_row + static_cast<uint32_t>(i);
      const bool ok =
          sum.count != 0 && sum.fits() &&
          decimal_divide(sum.value(), scale_, sum.count, 0, kDecimalPrecisionMax, result_scale_, values[row]);
      if (ok) continue;
      if (sum.count != 0) errors.add(row, "AVG has more than 38 digits");
      out.set_null(row);
    }
  }

 private:
  int scale_;
  int result_scale_;
};

/// SUM and AVG of FLOAT (F = float) and DOUBLE: summed as double.
template <class F, bool kAverage>
class FloatingSum final : public AggregateFunction {
 public:
  struct State {
    double sum;
    int64_t count;
  };
  [[nodiscard]] uint32_t bytes() const override { return sizeof(State); }

  void update(const AggregateInput& in, BlobPool& /*blobs*/) override {
    each_value<F>(in, [](char* bytes, F value, size_t /*i*/, int64_t sign) {
      auto& state = state_of<State>(bytes);
      state.sum += static_cast<double>(sign) * static_cast<double>(value);
      state.count += sign;
    });
  }
  void merge(char* into, const char* from, BlobPool& /*blobs*/) override {
    state_of<State>(into).sum += state_of<State>(from).sum;
    state_of<State>(into).count += state_of<State>(from).count;
  }
  void finish(std::span<const char* const> states, Column& out, uint32_t first_row, Arena& /*arena*/,
              RowErrors& /*errors*/) override {
    F* values = out.values<F>();
    for (size_t i = 0; i < states.size(); ++i) {
      const auto& state = state_of<State>(states[i]);
      const uint32_t row = first_row + static_cast<uint32_t>(i);
      if (state.count == 0) {
        out.set_null(row);
      } else {
        values[row] = static_cast<F>(kAverage ? state.sum / static_cast<double>(state.count) : state.sum);
      }
    }
  }
  void save(const char* state, ByteWriter& out) const override {
    out.put(state_of<State>(state).sum);
    out.put(state_of<State>(state).count);
  }
  Status load(ByteReader& in, char* state, BlobPool& /*blobs*/) const override {
    state_of<State>(state).sum = in.get<double>();
    state_of<State>(state).count = in.get<int64_t>();
    return in.ok() ? Status{} : truncated_state();
  }
};

template <bool kAverage>
std::unique_ptr<AggregateFunction> make_plain_sum(const DataType& type, const DataType& result) {
  switch (type.physical()) {
    case PhysicalType::kInt32:
      if constexpr (kAverage) return std::make_unique<IntegerAverage<int32_t>>();
      return std::make_unique<IntegerSum<int32_t>>();
    case PhysicalType::kInt64:
      if constexpr (kAverage) return std::make_unique<IntegerAverage<int64_t>>();
      return std::make_unique<IntegerSum<int64_t>>();
    case PhysicalType::kFloat:
      return std::make_unique<FloatingSum<float, kAverage>>();
    case PhysicalType::kDouble:
      return std::make_unique<FloatingSum<double, kAverage>>();
    default:
      if constexpr (kAverage) return std::make_unique<DecimalAverage>(type.scale, result.scale);
      return std::make_unique<DecimalSum>();
  }
}

template <bool kAverage>
std::unique_ptr<AggregateFunction> make_sum(std::span<const TypePtr> types, const TypePtr& result, bool distinct,
                                            const void* /*bound*/) {
  auto sum = make_plain_sum<kAverage>(*types[0], *result);
  if (!distinct) return sum;
  return make_distinct(types, std::move(sum));
}

Result<ResolvedCall> resolve_sum(const std::string& name, bool average, std::span<const TypePtr> types) {
  MR_TRY(one_argument(name, types));
  const DataType& type = *types[0];
  if (!type.is_numeric()) return wrong_argument(name, type, "a number");
  TypePtr result = make_type(type.kind);
  if (type.kind == TypeKind::kDecimal) {
    result = make_decimal(kDecimalPrecisionMax, average ? std::max(6, type.scale) : type.scale);
  } else if (type.is_integer() && !average) {
    result = make_type(TypeKind::kBigInt);
  }
  return ResolvedCall{result, {types[0]}, nullptr};
}

}  // namespace

void register_sums(FunctionRegistry& functions) {
  add_aggregate(
      functions, "SUM", "Sum of the values that are not NULL; NULL when there is none.",
      [](std::span<const TypePtr> types) { return resolve_sum("SUM", false, types); }, make_sum<false>, false, true);
  add_aggregate(
      functions, "AVG", "Mean of the values that are not NULL; of an integer type it is that type, truncated.",
      [](std::span<const TypePtr> types) { return resolve_sum("AVG", true, types); }, make_sum<true>, false, true);
}

}  // namespace millrace
