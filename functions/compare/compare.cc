// = <> < <= > >=, IS [NOT] DISTINCT FROM and IN.
#include <cmath>
#include <unordered_set>

#include "data/decimal.h"
#include "functions/compare/values.h"
#include "functions/register_all.h"
#include "functions/signature.h"
#include "runtime/spi/kernel.h"

namespace millrace {

namespace {

enum class Comparison : uint8_t { kEqual, kNotEqual, kLess, kLessEqual, kGreater, kGreaterEqual };

template <Comparison kOp, class T>
inline bool compare_one(const T& a, const T& b) {
  if constexpr (std::is_floating_point_v<T>) {
    // NaN equals itself and is neither less nor greater, as Flink answers.
    if constexpr (kOp == Comparison::kEqual) return (a == b) | ((a != a) & (b != b));
    if constexpr (kOp == Comparison::kNotEqual) return !((a == b) | ((a != a) & (b != b)));
  }
  if constexpr (kOp == Comparison::kEqual) return a == b;
  if constexpr (kOp == Comparison::kNotEqual) return a != b;
  if constexpr (kOp == Comparison::kLess) return a < b;
  if constexpr (kOp == Comparison::kLessEqual) return a <= b;
  if constexpr (kOp == Comparison::kGreater) return a > b;
  if constexpr (kOp == Comparison::kGreaterEqual) return a >= b;
}

template <Comparison kOp>
inline bool holds(int order) {
  return compare_one<kOp, int>(order, 0);
}

template <Comparison kOp, class T>
void compare_fixed(const KernelArgs& call) {
  ArgReader<T> a(call, 0);
  ArgReader<T> b(call, 1);
  uint8_t* out = call.out.values<uint8_t>();
  const T* left = a.values();
  const T* right = b.values();
  // A constant side stays in a register; three loops that the compiler vectorises.
  if (b.constant() && !a.constant()) {
    const T value = right[0];
    for_rows(call.rows, [=](uint32_t row) { out[row] = compare_one<kOp, T>(left[row], value) ? 1 : 0; });
  } else if (a.constant()) {
    const T value = left[0];
    for_rows(call.rows, [&](uint32_t row) { out[row] = compare_one<kOp, T>(value, b[row]) ? 1 : 0; });
  } else {
    for_rows(call.rows, [=](uint32_t row) { out[row] = compare_one<kOp, T>(left[row], right[row]) ? 1 : 0; });
  }
}

template <Comparison kOp>
void compare_text(const KernelArgs& call) {
  TextReader a(call, 0);
  TextReader b(call, 1);
  uint8_t* out = call.out.values<uint8_t>();
  constexpr bool kEquality = kOp == Comparison::kEqual || kOp == Comparison::kNotEqual;
  for_rows(call.rows, [&](uint32_t row) {
    std::string_view left = a.text(row);
    std::string_view right = b.text(row);
    if constexpr (kEquality) {
      bool equal = left.size() == right.size() && std::memcmp(left.data(), right.data(), left.size()) == 0;
      out[row] = equal == (kOp == Comparison::kEqual) ? 1 : 0;
    } else {
      out[row] = holds<kOp>(left.compare(right)) ? 1 : 0;
    }
  });
}

template <Comparison kOp>
void compare_decimals(const KernelArgs& call) {
  const int scale_a = call.types[0]->scale;
  const int scale_b = call.types[1]->scale;
  if (scale_a == scale_b) return compare_fixed<kOp, int128>(call);
  ArgReader<int128> a(call, 0);
  ArgReader<int128> b(call, 1);
  uint8_t* out = call.out.values<uint8_t>();
  for_rows(call.rows,
           [&](uint32_t row) { out[row] = holds<kOp>(decimal_compare(a[row], scale_a, b[row], scale_b)) ? 1 : 0; });
}

template <Comparison kOp>
void compare_nested(const KernelArgs& call) {
  uint8_t* out = call.out.values<uint8_t>();
  for (uint32_t row : call.rows) {
    uint32_t at_a = call.constant[0] != 0 ? 0 : row;
    uint32_t at_b = call.constant[1] != 0 ? 0 : row;
    out[row] = holds<kOp>(compare_values(*call.types[0], *call.args[0], at_a, *call.args[1], at_b)) ? 1 : 0;
  }
}

template <Comparison kOp>
void compare_kernel(const KernelArgs& call) {
  switch (call.args[0]->type()) {
    case PhysicalType::kBool:
      return compare_fixed<kOp, uint8_t>(call);
    case PhysicalType::kInt32:
      return compare_fixed<kOp, int32_t>(call);
    case PhysicalType::kInt64:
      return compare_fixed<kOp, int64_t>(call);
    case PhysicalType::kFloat:
      return compare_fixed<kOp, float>(call);
    case PhysicalType::kDouble:
      return compare_fixed<kOp, double>(call);
    case PhysicalType::kInt128:
      return compare_decimals<kOp>(call);
    case PhysicalType::kString:
      return compare_text<kOp>(call);
    default:
      return compare_nested<kOp>(call);
  }
}

Result<ResolvedCall> resolve_comparison(const std::string& name, bool ordered, ArgTypes types) {
  if (types.size() != 2) return argument_count_error(name, types.size(), "two operands");
  TypePtr boolean = make_type(TypeKind::kBoolean, any_nullable(types));
  TypePtr common = comparison_type(types[0], types[1]);
  if (!common) return argument_error(name, types, "operands of comparable types");
  if (common->kind == TypeKind::kNull) common = make_type(TypeKind::kBoolean);
  bool nested = common->kind == TypeKind::kArray || common->kind == TypeKind::kMap || common->kind == TypeKind::kRow;
  if (ordered && nested) return argument_error(name, types, "types with an order");
  if (common->kind == TypeKind::kVariant) return argument_error(name, types, "a CAST of the VARIANT");
  // Where the common DECIMAL would not hold both, they are compared as they are.
  bool decimals = types[0]->kind == TypeKind::kDecimal && types[1]->kind == TypeKind::kDecimal;
  if (decimals && common->scale < std::max(types[0]->scale, types[1]->scale)) {
    return ResolvedCall{boolean, {types[0], types[1]}, nullptr};
  }
  return ResolvedCall{boolean, {common, common}, nullptr};
}

template <Comparison kOp>
void add_comparison(FunctionRegistry& registry, std::string name) {
  constexpr bool kOrdered = kOp != Comparison::kEqual && kOp != Comparison::kNotEqual;
  auto resolve = [name](ArgTypes types, ArgLiterals) { return resolve_comparison(name, kOrdered, types); };
  add_function(registry, name, resolve, compare_kernel<kOp>, "compares two values");
}

void distinct_kernel(const KernelArgs& call) {
  uint8_t* out = call.out.values<uint8_t>();
  bool decimals = call.args[0]->type() == PhysicalType::kInt128;
  for (uint32_t row : call.rows) {
    uint32_t at_a = call.constant[0] != 0 ? 0 : row;
    uint32_t at_b = call.constant[1] != 0 ? 0 : row;
    const Column& a = *call.args[0];
    const Column& b = *call.args[1];
    bool same = false;
    if (decimals && !a.is_null(at_a) && !b.is_null(at_b)) {
      same = decimal_compare(a.values<int128>()[at_a], call.types[0]->scale, b.values<int128>()[at_b],
                             call.types[1]->scale) == 0;
    } else {
      same = compare_values(*call.types[0], a, at_a, b, at_b) == 0;
    }
    out[row] = same ? 0 : 1;
  }
}

/// A list of constants becomes a set once per batch; other lists are compared one by one.
void in_integers(const KernelArgs& call, bool list_has_null) {
  std::unordered_set<int64_t> set;
  for (size_t i = 1; i < call.args.size(); ++i) {
    if (!call.args[i]->is_null(0)) set.insert(IntegerReader(call, i)[0]);
  }
  IntegerReader value(call, 0);
  uint8_t* out = call.out.values<uint8_t>();
  for (uint32_t row : call.rows) {
    bool found = !value.is_null(row) && set.contains(value[row]);
    out[row] = found ? 1 : 0;
    if (value.is_null(row) || (!found && list_has_null)) call.out.set_null(row);
  }
}

void in_texts(const KernelArgs& call, bool list_has_null) {
  std::unordered_set<std::string_view> set;
  for (size_t i = 1; i < call.args.size(); ++i) {
    if (!call.args[i]->is_null(0)) set.insert(call.args[i]->values<StringRef>()[0].view());
  }
  TextReader value(call, 0);
  uint8_t* out = call.out.values<uint8_t>();
  for (uint32_t row : call.rows) {
    bool found = !value.is_null(row) && set.contains(value.text(row));
    out[row] = found ? 1 : 0;
    if (value.is_null(row) || (!found && list_has_null)) call.out.set_null(row);
  }
}

void in_kernel(const KernelArgs& call) {
  bool constants = true;
  bool list_has_null = false;
  for (size_t i = 1; i < call.args.size(); ++i) {
    constants = constants && call.constant[i] != 0;
    list_has_null = list_has_null || (call.constant[i] != 0 && call.args[i]->is_null(0));
  }
  PhysicalType layout = call.args[0]->type();
  if (constants && (layout == PhysicalType::kInt32 || layout == PhysicalType::kInt64)) {
    return in_integers(call, list_has_null);
  }
  if (constants && layout == PhysicalType::kString) return in_texts(call, list_has_null);
  uint8_t* out = call.out.values<uint8_t>();
  for (uint32_t row : call.rows) {
    uint32_t at = call.constant[0] != 0 ? 0 : row;
    bool unknown = call.args[0]->is_null(at);
    bool found = false;
    for (size_t i = 1; i < call.args.size() && !call.args[0]->is_null(at) && !found; ++i) {
      uint32_t item = call.constant[i] != 0 ? 0 : row;
      if (call.args[i]->is_null(item)) {
        unknown = true;
      } else {
        found = compare_values(*call.types[0], *call.args[0], at, *call.args[i], item) == 0;
      }
    }
    out[row] = found ? 1 : 0;
    if (!found && unknown) call.out.set_null(row);
  }
}

}  // namespace

void register_compare(FunctionRegistry& registry) {
  add_comparison<Comparison::kEqual>(registry, "=");
  add_comparison<Comparison::kNotEqual>(registry, "<>");
  add_comparison<Comparison::kLess>(registry, "<");
  add_comparison<Comparison::kLessEqual>(registry, "<=");
  add_comparison<Comparison::kGreater>(registry, ">");
  add_comparison<Comparison::kGreaterEqual>(registry, ">=");
  auto distinct = [](ArgTypes types, ArgLiterals) -> Result<ResolvedCall> {
    MR_ASSIGN(ResolvedCall resolved, resolve_comparison("IS DISTINCT FROM", false, types));
    resolved.type = make_type(TypeKind::kBoolean, false);
    return resolved;
  };
  add_function(registry, "IS DISTINCT FROM", distinct, distinct_kernel, "compares, NULL as a value", {false, true});
  auto in = [](ArgTypes types, ArgLiterals) -> Result<ResolvedCall> {
    return ResolvedCall{make_type(TypeKind::kBoolean, any_nullable(types)), {types.begin(), types.end()}, nullptr};
  };
  add_function(registry, "IN", in, in_kernel, "is one of a list", {false, true});
}

}  // namespace millrace
