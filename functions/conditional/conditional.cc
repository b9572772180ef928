// IS TRUE, IS FALSE, GREATEST, LEAST, IS_ALPHA, IS_DIGIT, IS_DECIMAL and ELT. CASE, COALESCE, IF and NULLIF are nodes
// of the evaluator, because they are lazy.
#include <fmt/format.h>

#include <algorithm>

#include "data/number_text.h"
#include "functions/compare/values.h"
#include "functions/register_all.h"
#include "functions/signature.h"
#include "functions/strings/utf8.h"
#include "runtime/spi/kernel.h"

namespace millrace {

namespace {

template <uint8_t kTruth>
void is_truth_kernel(const KernelArgs& call) {
  ArgReader<uint8_t> a(call, 0);
  uint8_t* out = call.out.values<uint8_t>();
  for_rows(call.rows, [&](uint32_t row) { out[row] = !a.is_null(row) && (a[row] & 1U) == kTruth ? 1 : 0; });
}

ResolveFunction resolve_is_truth(std::string name) {
  return [name](ArgTypes types, ArgLiterals) -> Result<ResolvedCall> {
    bool fits = types.size() == 1 && (types[0]->kind == TypeKind::kBoolean || types[0]->kind == TypeKind::kNull);
    if (!fits) return argument_error(name, types, "a BOOLEAN");
    return ResolvedCall{make_type(TypeKind::kBoolean, false), {make_type(TypeKind::kBoolean)}, nullptr};
  };
}

/// Copies one argument's value of a row to the result.
void copy_value(const KernelArgs& call, size_t index, uint32_t row) {
  uint32_t at = call.constant[index] != 0 ? 0 : row;
  const Column& from = *call.args[index];
  if (from.is_null(at)) return call.out.set_null(row);
  switch (call.out.type()) {
    case PhysicalType::kBool:
      call.out.values<uint8_t>()[row] = from.values<uint8_t>()[at];
      break;
    case PhysicalType::kInt32:
    case PhysicalType::kFloat:
      call.out.values<uint32_t>()[row] = from.values<uint32_t>()[at];
      break;
    case PhysicalType::kInt64:
    case PhysicalType::kDouble:
      call.out.values<uint64_t>()[row] = from.values<uint64_t>()[at];
      break;
    case PhysicalType::kInt128:
      call.out.values<int128>()[row] = from.values<int128>()[at];
      break;
    default:
      call.out.values<StringRef>()[row] = from.values<StringRef>()[at];
      break;
  }
}

template <int kWanted>
void extreme_kernel(const KernelArgs& call) {
  for (uint32_t row : call.rows) {
    size_t best = 0;
    for (size_t i = 1; i < call.args.size(); ++i) {
      uint32_t at_best = call.constant[best] != 0 ? 0 : row;
      uint32_t at = call.constant[i] != 0 ? 0 : row;
      if (compare_values(*call.result_type, *call.args[i], at, *call.args[best], at_best) == kWanted) best = i;
    }
    copy_value(call, best, row);
  }
}

ResolveFunction resolve_extreme(std::string name) {
  return [name](ArgTypes types, ArgLiterals) -> Result<ResolvedCall> {
    if (types.empty()) return argument_count_error(name, 0, name + "(a, b, …)");
    TypePtr common = least_restrictive(types);
    bool nested = common && common->physical() >= PhysicalType::kList;
    if (!common || nested) return argument_error(name, types, "arguments of one type with an order");
    if (common->kind == TypeKind::kNull) common = make_type(TypeKind::kInt);
    return ResolvedCall{common, std::vector<TypePtr>(types.size(), common), nullptr};
  };
}

template <bool (*kTest)(std::string_view)>
void text_test_kernel(const KernelArgs& call) {
  TextReader a(call, 0);
  uint8_t* out = call.out.values<uint8_t>();
  for (uint32_t row : call.rows) out[row] = !a.is_null(row) && kTest(a.text(row)) ? 1 : 0;
}

bool all_letters(std::string_view text) { return !text.empty() && utf8_all(text, utf8_is_letter); }
bool all_digits(std::string_view text) { return !text.empty() && utf8_all(text, utf8_is_digit); }
bool is_number(std::string_view text) { return parse_double(text).has_value(); }

template <bool (*kTest)(std::string_view)>
void add_text_test(FunctionRegistry& registry, std::string name, std::string help) {
  auto resolve = [name](ArgTypes types, ArgLiterals) -> Result<ResolvedCall> {
    bool fits = types.size() == 1 && (types[0]->is_text() || types[0]->kind == TypeKind::kNull);
    if (!fits) return argument_error(name, types, name + "(STRING)");
    return ResolvedCall{make_type(TypeKind::kBoolean, false), {make_string()}, nullptr};
  };
  // NULL is not a number: the answer is FALSE.
  add_function(registry, name, resolve, text_test_kernel<kTest>, std::move(help), {false, true});
}

void elt_kernel(const KernelArgs& call) {
  IntegerReader index(call, 0);
  for (uint32_t row : call.rows) {
    if (index.is_null(row) || index[row] < 1 || index[row] >= static_cast<int64_t>(call.args.size())) {
      call.out.set_null(row);
    } else {
      copy_value(call, static_cast<size_t>(index[row]), row);
    }
  }
}

Result<ResolvedCall> resolve_elt(ArgTypes types, ArgLiterals) {
  if (types.size() < 2) return argument_count_error("ELT", types.size(), "ELT(index, text, …)");
  TypePtr common = least_restrictive(types.subspan(1));
  bool fits = types[0]->is_integer() && common && (common->is_text() || common->kind == TypeKind::kBytes);
  if (!fits) return argument_error("ELT", types, "ELT(INT, STRING, …)");
  std::vector<TypePtr> targets(types.size(), with_nullable(common, true));
  targets[0] = types[0];
  return ResolvedCall{with_nullable(common, true), std::move(targets), nullptr};
}

}  // namespace

void register_conditional(FunctionRegistry& registry) {
  add_function(registry, "IS TRUE", resolve_is_truth("IS TRUE"), is_truth_kernel<1>, "is TRUE, not NULL",
               {false, true});
  add_function(registry, "IS FALSE", resolve_is_truth("IS FALSE"), is_truth_kernel<0>, "is FALSE, not NULL",
               {false, true});
  add_function(registry, "GREATEST", resolve_extreme("GREATEST"), extreme_kernel<1>, "the greatest argument");
  add_function(registry, "LEAST", resolve_extreme("LEAST"), extreme_kernel<-1>, "the least argument");
  add_text_test<all_letters>(registry, "IS_ALPHA", "all characters are letters");
  add_text_test<all_digits>(registry, "IS_DIGIT", "all characters are digits");
  add_text_test<is_number>(registry, "IS_DECIMAL", "the text is a number");
  add_function(registry, "ELT", resolve_elt, elt_kernel, "the n-th of the texts", {false, true});
}

}  // namespace millrace
