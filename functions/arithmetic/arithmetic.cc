// + - * / % and the signs over integers, DECIMAL, FLOAT and DOUBLE. Integer and DECIMAL overflow and division by zero
// are errors of the row; FLOAT and DOUBLE follow IEEE 754. Times and intervals are in functions/arithmetic/temporal.cc.
#include <fmt/format.h>

#include <cmath>

#include "data/decimal.h"
#include "functions/arithmetic/temporal.h"
#include "functions/register_all.h"
#include "functions/signature.h"
#include "runtime/spi/kernel.h"

namespace millrace {

namespace {

enum class Arithmetic : uint8_t { kAdd, kSubtract, kMultiply, kDivide, kModulo };

constexpr std::string_view arithmetic_symbol(Arithmetic op) {
  constexpr std::string_view kSymbols[] = {"+", "-", "*", "/", "%"};
  return kSymbols[static_cast<size_t>(op)];
}

void overflow_error(const KernelArgs& call, uint32_t row) {
  call.fail(row, fmt::format("{} overflow", call.result_type->to_string()));
}

struct Narrow {
  int64_t min;
  int64_t max;
};
Narrow narrow_bounds(TypeKind kind) {
  if (kind == TypeKind::kTinyInt) return {INT8_MIN, INT8_MAX};
  if (kind == TypeKind::kSmallInt) return {INT16_MIN, INT16_MAX};
  return {INT32_MIN, INT32_MAX};
}

template <Arithmetic kOp>
inline int64_t wide_result(int64_t a, int64_t b) {
  if constexpr (kOp == Arithmetic::kAdd) return a + b;
  if constexpr (kOp == Arithmetic::kSubtract) return a - b;
  return a * b;
}

/// TINYINT, SMALLINT, INT: computed in 64 bits; one flag for the whole batch, a second pass only when it is set.
template <Arithmetic kOp>
void narrow_kernel(const KernelArgs& call) {
  ArgReader<int32_t> a(call, 0);
  ArgReader<int32_t> b(call, 1);
  const Narrow bounds = narrow_bounds(call.result_type->kind);
  int32_t* out = call.out.values<int32_t>();
  bool overflow = false;
  for_rows(call.rows, [&](uint32_t row) {
    int64_t value = wide_result<kOp>(a[row], b[row]);
    out[row] = static_cast<int32_t>(value);
    overflow |= (value < bounds.min) | (value > bounds.max);
  });
  if (!overflow) return;
  for (uint32_t row : call.rows) {
    int64_t value = wide_result<kOp>(a[row], b[row]);
    if (value < bounds.min || value > bounds.max) overflow_error(call, row);
  }
}

template <Arithmetic kOp>
inline bool big_overflow(int64_t a, int64_t b, int64_t& value) {
  if constexpr (kOp == Arithmetic::kAdd) return __builtin_add_overflow(a, b, &value);
  if constexpr (kOp == Arithmetic::kSubtract) return __builtin_sub_overflow(a, b, &value);
  return __builtin_mul_overflow(a, b, &value);
}

template <Arithmetic kOp>
void big_kernel(const KernelArgs& call) {
  ArgReader<int64_t> a(call, 0);
  ArgReader<int64_t> b(call, 1);
  int64_t* out = call.out.values<int64_t>();
  bool overflow = false;
  for_rows(call.rows, [&](uint32_t row) { overflow |= big_overflow<kOp>(a[row], b[row], out[row]); });
  if (!overflow) return;
  for (uint32_t row : call.rows) {
    int64_t ignored = 0;
    if (big_overflow<kOp>(a[row], b[row], ignored)) overflow_error(call, row);
  }
}

/// Integer / and %: the types of the operands may differ for %, whose result has the second one's type.
template <Arithmetic kOp>
void divide_integers(const KernelArgs& call) {
  IntegerReader a(call, 0);
  IntegerReader b(call, 1);
  const bool big = call.out.type() == PhysicalType::kInt64;
  const Narrow bounds = narrow_bounds(call.result_type->kind);
  for_rows(call.rows, [&](uint32_t row) {
    int64_t left = a[row];
    int64_t right = b[row];
    if (right == 0) return call.fail(row, "division by zero");
    if (right == -1) {
      if (kOp == Arithmetic::kModulo) return put_integer(call.out, row, 0);
      if (left == INT64_MIN || (!big && -left > bounds.max)) return overflow_error(call, row);
      return put_integer(call.out, row, -left);
    }
    put_integer(call.out, row, kOp == Arithmetic::kModulo ? left % right : left / right);
  });
}

template <Arithmetic kOp, class T>
void floating_kernel(const KernelArgs& call) {
  ArgReader<T> a(call, 0);
  ArgReader<T> b(call, 1);
  T* out = call.out.values<T>();
  for_rows(call.rows, [&](uint32_t row) {
    if constexpr (kOp == Arithmetic::kAdd) out[row] = a[row] + b[row];
    if constexpr (kOp == Arithmetic::kSubtract) out[row] = a[row] - b[row];
    if constexpr (kOp == Arithmetic::kMultiply) out[row] = a[row] * b[row];
    if constexpr (kOp == Arithmetic::kDivide) out[row] = a[row] / b[row];
    if constexpr (kOp == Arithmetic::kModulo) out[row] = std::fmod(a[row], b[row]);
  });
}

template <Arithmetic kOp>
void decimal_kernel(const KernelArgs& call) {
  ArgReader<int128> a(call, 0);
  ArgReader<int128> b(call, 1);
  const int scale_a = call.types[0]->scale;
  const int scale_b = call.types[1]->scale;
  const int precision = call.result_type->precision;
  const int scale = call.result_type->scale;
  int128* out = call.out.values<int128>();
  for_rows(call.rows, [&](uint32_t row) {
    int128 left = a[row];
    int128 right = b[row];
    bool fits = false;
    if constexpr (kOp == Arithmetic::kAdd)
      fits = decimal_add(left, scale_a, right, scale_b, precision, scale, out[row]);
    if constexpr (kOp == Arithmetic::kSubtract) {
      fits = decimal_subtract(left, scale_a, right, scale_b, precision, scale, out[row]);
    }
    if constexpr (kOp == Arithmetic::kMultiply) {
      fits = decimal_multiply(left, scale_a, right, scale_b, precision, scale, out[row]);
    }
    if constexpr (kOp == Arithmetic::kDivide || kOp == Arithmetic::kModulo) {
      if (right == 0) return call.fail(row, "division by zero");
      fits = kOp == Arithmetic::kDivide ? decimal_divide(left, scale_a, right, scale_b, precision, scale, out[row])
                                        : decimal_modulo(left, scale_a, right, scale_b, precision, scale, out[row]);
    }
    if (!fits) overflow_error(call, row);
  });
}

template <Arithmetic kOp>
void arithmetic_kernel(const KernelArgs& call) {
  if (!call.types[0]->is_numeric() || !call.types[1]->is_numeric())
    return temporal_kernel(call, kOp == Arithmetic::kSubtract);
  switch (call.out.type()) {
    case PhysicalType::kDouble:
      return floating_kernel<kOp, double>(call);
    case PhysicalType::kFloat:
      return floating_kernel<kOp, float>(call);
    case PhysicalType::kInt128:
      return decimal_kernel<kOp>(call);
    default:
      break;
  }
  if constexpr (kOp == Arithmetic::kDivide || kOp == Arithmetic::kModulo) {
    return divide_integers<kOp>(call);
  } else {
    return call.out.type() == PhysicalType::kInt64 ? big_kernel<kOp>(call) : narrow_kernel<kOp>(call);
  }
}

TypePtr decimal_argument(const TypePtr& type) {
  DecimalShape shape = decimal_shape(*type);
  return make_decimal(shape.precision, shape.scale, type->nullable);
}

DecimalShape result_shape(Arithmetic op, DecimalShape a, DecimalShape b) {
  switch (op) {
    case Arithmetic::kMultiply:
      return decimal_multiply_shape(a, b);
    case Arithmetic::kDivide:
      return decimal_divide_shape(a, b);
    case Arithmetic::kModulo:
      return decimal_modulo_shape(a, b);
    default:
      return decimal_add_shape(a, b);
  }
}

Result<ResolvedCall> resolve_arithmetic(Arithmetic op, ArgTypes given) {
  std::string_view symbol = arithmetic_symbol(op);
  if (given.size() != 2) return argument_count_error(symbol, given.size(), "two operands");
  std::vector<TypePtr> types(given.begin(), given.end());
  // NULL takes the other operand's type.
  for (size_t i = 0; i < 2; ++i) {
    if (types[i]->kind == TypeKind::kNull) types[i] = with_nullable(types[1 - i], true);
    if (types[i]->kind == TypeKind::kNull) types[i] = make_type(TypeKind::kInt);
  }
  if (!types[0]->is_numeric() || !types[1]->is_numeric()) {
    if (auto resolved = resolve_temporal(symbol, types)) return *resolved;
    return argument_error(symbol, given, "two numbers, or times and intervals");
  }
  bool nullable = any_nullable(types);
  bool decimal = types[0]->kind == TypeKind::kDecimal || types[1]->kind == TypeKind::kDecimal;
  TypePtr common = with_nullable(least_restrictive(types), nullable);
  if (decimal && common->kind == TypeKind::kDecimal) {
    DecimalShape shape = result_shape(op, decimal_shape(*types[0]), decimal_shape(*types[1]));
    return ResolvedCall{make_decimal(shape.precision, shape.scale, nullable),
                        {decimal_argument(types[0]), decimal_argument(types[1])},
                        nullptr};
  }
  if (op == Arithmetic::kModulo && common->is_integer()) {
    return ResolvedCall{with_nullable(types[1], nullable), types, nullptr};
  }
  return ResolvedCall{common, {common, common}, nullptr};
}

template <class T>
void negate_integers(const KernelArgs& call) {
  ArgReader<T> a(call, 0);
  T* out = call.out.values<T>();
  int64_t min = call.result_type->kind == TypeKind::kBigInt ? INT64_MIN : narrow_bounds(call.result_type->kind).min;
  for_rows(call.rows, [&](uint32_t row) {
    T value = a[row];
    if (value == static_cast<T>(min)) return overflow_error(call, row);
    out[row] = -value;
  });
}

template <class T>
void negate_values(const KernelArgs& call) {
  ArgReader<T> a(call, 0);
  T* out = call.out.values<T>();
  for_rows(call.rows, [&](uint32_t row) { out[row] = -a[row]; });
}

void negate_kernel(const KernelArgs& call) {
  switch (call.out.type()) {
    case PhysicalType::kInt32:
      return negate_integers<int32_t>(call);
    case PhysicalType::kInt64:
      return negate_integers<int64_t>(call);
    case PhysicalType::kFloat:
      return negate_values<float>(call);
    case PhysicalType::kDouble:
      return negate_values<double>(call);
    default:
      return negate_values<int128>(call);
  }
}

template <class T>
void copy_kernel(const KernelArgs& call) {
  ArgReader<T> a(call, 0);
  T* out = call.out.values<T>();
  for_rows(call.rows, [&](uint32_t row) { out[row] = a[row]; });
}

void plus_kernel(const KernelArgs& call) {
  switch (call.out.type()) {
    case PhysicalType::kInt32:
      return copy_kernel<int32_t>(call);
    case PhysicalType::kInt64:
      return copy_kernel<int64_t>(call);
    case PhysicalType::kFloat:
      return copy_kernel<float>(call);
    case PhysicalType::kDouble:
      return copy_kernel<double>(call);
    default:
      return copy_kernel<int128>(call);
  }
}

template <Arithmetic kOp>
void add_arithmetic(FunctionRegistry& registry, std::string name) {
  auto resolve = [](ArgTypes types, ArgLiterals) { return resolve_arithmetic(kOp, types); };
  add_function(registry, std::move(name), resolve, arithmetic_kernel<kOp>, "arithmetic on numbers");
}

}  // namespace

void register_arithmetic(FunctionRegistry& registry) {
  add_arithmetic<Arithmetic::kAdd>(registry, "+");
  add_arithmetic<Arithmetic::kSubtract>(registry, "-");
  add_arithmetic<Arithmetic::kMultiply>(registry, "*");
  add_arithmetic<Arithmetic::kDivide>(registry, "/");
  add_arithmetic<Arithmetic::kModulo>(registry, "%");
  add_arithmetic<Arithmetic::kModulo>(registry, "MOD");
  for (bool minus : {true, false}) {
    std::string name = minus ? "-x" : "+x";
    auto resolve = [minus](ArgTypes types, ArgLiterals) -> Result<ResolvedCall> {
      TypePtr type = types[0]->kind == TypeKind::kNull ? make_type(TypeKind::kInt) : types[0];
      bool interval = type->kind == TypeKind::kIntervalMillis || type->kind == TypeKind::kIntervalMonths;
      if (!type->is_numeric() && !interval) return argument_error(minus ? "-" : "+", types, "a number");
      return ResolvedCall{type, {type}, nullptr};
    };
    add_function(registry, name, resolve, minus ? negate_kernel : plus_kernel, "the sign of a number");
  }
  register_temporal_arithmetic(registry);
}

}  // namespace millrace
