// STDDEV_POP, STDDEV_SAMP, VAR_POP, VAR_SAMP. Of FLOAT and DOUBLE: Welford's update and Chan's merge, which lose no
// digits to cancellation. Of integers and DECIMAL: exact sums of x and x^2, then (sum(x^2) - sum(x)^2 / n) / n in the
// argument's arithmetic, as Flink defines them; the result has the argument's type (DECIMAL: DECIMAL(38, max(6, s))).
#include <cmath>

#include "data/decimal.h"
#include "functions/aggregates/distinct.h"
#include "functions/aggregates/loops.h"
#include "functions/aggregates/register.h"
#include "plan/expr/type_rules.h"

namespace millrace {

namespace {

struct Spread {
  bool root = false;    // standard deviation
  bool sample = false;  // divide by n - 1
};

template <class F>
class FloatingSpread final : public AggregateFunction {
 public:
  struct State {
    int64_t count;
    double mean;
    double squares;  // sum of squared distances from the mean
  };
  explicit FloatingSpread(Spread spread) : spread_(spread) {}
  [[nodiscard]] uint32_t bytes() const override { return sizeof(State); }

  void update(const AggregateInput& in, BlobPool& /*blobs*/) override {
    each_value<F>(in, [](char* bytes, F value, size_t /*i*/, int64_t sign) {
      auto& state = state_of<State>(bytes);
      const double distance = static_cast<double>(value) - state.mean;
      state.count += sign;
      if (state.count == 0) {
        state = State{};
        return;
      }
      state.mean += static_cast<double>(sign) * distance / static_cast<double>(state.count);
      state.squares += static_cast<double>(sign) * distance * (static_cast<double>(value) - state.mean);
    });
  }
  void merge(char* into, const char* from, BlobPool& /*blobs*/) override {
    auto& a = state_of<State>(into);
    const auto& b = state_of<State>(from);
    const auto count = static_cast<double>(a.count + b.count);
    if (b.count == 0) return;
    const double distance = b.mean - a.mean;
    a.squares += b.squares + distance * distance * static_cast<double>(a.count) * static_cast<double>(b.count) / count;
    a.mean += distance * static_cast<double>(b.count) / count;
    a.count += b.count;
  }
  void finish(std::span<const char* const> states, Column& out, uint32_t first_row, Arena& /*arena*/,
              RowErrors& /*errors*/) override {
    F* values = out.values<F>();
    for (size_t i = 0; i < states.size(); ++i) {
      const auto& state = state_of<State>(states[i]);
      const uint32_t row = first_row + static_cast<uint32_t>(i);
      const int64_t divisor = state.count - (spread_.sample ? 1 : 0);
      if (divisor <= 0) {
        out.set_null(row);
        continue;
      }
      const double variance = state.squares / static_cast<double>(divisor);
      values[row] = static_cast<F>(spread_.root ? std::sqrt(variance) : variance);
    }
  }
  void save(const char* state, ByteWriter& out) const override { out.put(state_of<State>(state)); }
  Status load(ByteReader& in, char* state, BlobPool& /*blobs*/) const override {
    state_of<State>(state) = in.get<State>();
    return in.ok() ? Status{} : truncated_state();
  }

 private:
  Spread spread_;
};

/// Integers (scale 0) and DECIMAL. Sums that leave 128 bits make the result an error.
template <class T>
class ExactSpread final : public AggregateFunction {
 public:
  struct State {
    int128 sum;
    int128 squares;
    int64_t count;
    int64_t overflow;
  };
  ExactSpread(Spread spread, const DataType& type, const DataType& result)
      : spread_(spread), kind_(type.kind), scale_(type.scale), result_scale_(result.scale) {}
  [[nodiscard]] uint32_t bytes() const override { return sizeof(State); }

  void update(const AggregateInput& in, BlobPool& /*blobs*/) override {
    each_value<T>(in, [](char* bytes, T value, size_t /*i*/, int64_t sign) {
      auto& state = state_of<State>(bytes);
      int128 square = 0;
      bool over = __builtin_mul_overflow(static_cast<int128>(value), static_cast<int128>(value), &square);
      over |= __builtin_add_overflow(state.sum, static_cast<int128>(value) * sign, &state.sum);
      over |= __builtin_add_overflow(state.squares, square * sign, &state.squares);
      state.overflow |= over ? 1 : 0;
      state.count += sign;
    });
  }
  void merge(char* into, const char* from, BlobPool& /*blobs*/) override {
    auto& a = state_of<State>(into);
    const auto& b = state_of<State>(from);
    bool over = __builtin_add_overflow(a.sum, b.sum, &a.sum);
    over |= __builtin_add_overflow(a.squares, b.squares, &a.squares);
    a.overflow |= b.overflow | (over ? 1 : 0);
    a.count += b.count;
  }
  void finish(std::span<const char* const> states, Column& out, uint32_t first_row, Arena& /*arena*/,
              RowErrors& errors) override {
    for (size_t i = 0; i < states.size(); ++i) {
      const auto& state = state_of<State>(states[i]);
      const uint32_t row = first_row + static_cast<uint32_t>(i);
      const int64_t divisor = state.count - (spread_.sample ? 1 : 0);
      if (divisor <= 0) {
        out.set_null(row);
      } else if (state.overflow != 0 || !finish_one(state, divisor, out.values<T>()[row])) {
        errors.add(row, "the variance is out of range");
        out.set_null(row);
      }
    }
  }
  void save(const char* state, ByteWriter& out) const override { out.put(state_of<State>(state)); }
  Status load(ByteReader& in, char* state, BlobPool& /*blobs*/) const override {
    state_of<State>(state) = in.get<State>();
    return in.ok() ? Status{} : truncated_state();
  }

 private:
  bool finish_one(const State& state, int64_t divisor, T& out) const {
    return kind_ == TypeKind::kDecimal ? finish_decimal(state, divisor, out) : finish_integer(state, divisor, out);
  }

  bool finish_integer(const State& state, int64_t divisor, T& out) const {
    int128 square = 0;
    if (__builtin_mul_overflow(state.sum, state.sum, &square)) return false;
    int128 variance = (state.squares - square / state.count) / divisor;
    if (spread_.root) variance = static_cast<int128>(std::sqrt(static_cast<double>(variance)));
    out = static_cast<T>(variance);
    return static_cast<int128>(out) == variance;
  }

  bool finish_decimal(const State& state, int64_t divisor, T& out) const {
    constexpr int kMax = kDecimalPrecisionMax;
    const int square_scale = limit_decimal(2 * kMax + 1, 2 * scale_).scale;
    const int mean_scale = decimal_divide_shape({kMax, square_scale}, {19, 0}).scale;
    int128 value = 0;
    if (!decimal_multiply(state.sum, scale_, state.sum, scale_, kMax, square_scale, value)) return false;
    if (!decimal_divide(value, square_scale, state.count, 0, kMax, mean_scale, value)) return false;
    if (!decimal_subtract(state.squares, 2 * scale_, value, mean_scale, kMax, mean_scale, value)) return false;
    if (!decimal_divide(value, mean_scale, divisor, 0, kMax, mean_scale, value)) return false;
    int scale = mean_scale;
    if (spread_.root) {
      scale = result_scale_;
      if (!decimal_from_double(std::sqrt(decimal_to_double(value, mean_scale)), kMax, scale, value)) return false;
    }
    int128 result = 0;
    if (!decimal_rescale(value, scale, result_scale_, kMax, result)) return false;
    out = static_cast<T>(result);
    return true;
  }

  Spread spread_;
  TypeKind kind_;
  int scale_;
  int result_scale_;
};

template <bool kRoot, bool kSample>
std::unique_ptr<AggregateFunction> plain_spread(std::span<const TypePtr> types, const TypePtr& result) {
  const Spread spread{kRoot, kSample};
  switch (types[0]->physical()) {
    case PhysicalType::kFloat:
      return std::make_unique<FloatingSpread<float>>(spread);
    case PhysicalType::kDouble:
      return std::make_unique<FloatingSpread<double>>(spread);
    case PhysicalType::kInt32:
      return std::make_unique<ExactSpread<int32_t>>(spread, *types[0], *result);
    case PhysicalType::kInt64:
      return std::make_unique<ExactSpread<int64_t>>(spread, *types[0], *result);
    default:
      return std::make_unique<ExactSpread<int128>>(spread, *types[0], *result);
  }
}

template <bool kRoot, bool kSample>
std::unique_ptr<AggregateFunction> make_spread(std::span<const TypePtr> types, const TypePtr& result, bool distinct,
                                               const void* /*bound*/) {
  auto spread = plain_spread<kRoot, kSample>(types, result);
  if (!distinct) return spread;
  return make_distinct(types, std::move(spread));
}

template <bool kRoot, bool kSample>
void add_spread(FunctionRegistry& functions, const char* name, const char* help) {
  auto resolve = [name](std::span<const TypePtr> types) -> Result<ResolvedCall> {
    MR_TRY(one_argument(name, types));
    if (!types[0]->is_numeric()) return wrong_argument(name, *types[0], "a number");
    TypePtr result = with_nullable(types[0], true);
    if (result->kind == TypeKind::kDecimal) result = make_decimal(kDecimalPrecisionMax, std::max(6, result->scale));
    return ResolvedCall{result, {types[0]}, nullptr};
  };
  add_aggregate(functions, name, help, resolve, make_spread<kRoot, kSample>, false, true);
}

}  // namespace

void register_statistics(FunctionRegistry& functions) {
  add_spread<true, false>(functions, "STDDEV_POP", "Standard deviation of the whole population.");
  add_spread<true, true>(functions, "STDDEV_SAMP", "Standard deviation of a sample; NULL for a single value.");
  add_spread<true, true>(functions, "STDDEV", "The same as STDDEV_SAMP.");
  add_spread<false, false>(functions, "VAR_POP", "Variance of the whole population.");
  add_spread<false, true>(functions, "VAR_SAMP", "Variance of a sample; NULL for a single value.");
  add_spread<false, true>(functions, "VARIANCE", "The same as VAR_SAMP.");
}

}  // namespace millrace
