// Functions over DOUBLE (EXP, LN, SIN …), random numbers, BIN and HEX.
#include "functions/math/math.h"

#include <fmt/format.h>

#include <cmath>
#include <numbers>

#include "core/random.h"
#include "functions/register_all.h"
#include "functions/signature.h"
#include "runtime/spi/kernel.h"

namespace millrace {

namespace {

template <double (*kFunction)(double)>
void unary_kernel(const KernelArgs& call) {
  ArgReader<double> a(call, 0);
  double* out = call.out.values<double>();
  for_rows(call.rows, [&](uint32_t row) { out[row] = kFunction(a[row]); });
}

template <double (*kFunction)(double, double)>
void binary_kernel(const KernelArgs& call) {
  ArgReader<double> a(call, 0);
  ArgReader<double> b(call, 1);
  double* out = call.out.values<double>();
  for_rows(call.rows, [&](uint32_t row) { out[row] = kFunction(a[row], b[row]); });
}

double cot(double x) { return 1.0 / std::tan(x); }
double log2_java(double x) { return std::log(x) / std::log(2.0); }
double degrees(double x) { return x * (180.0 / std::numbers::pi); }
double radians(double x) { return x * (std::numbers::pi / 180.0); }
double log_base(double base, double x) { return std::log(x) / std::log(base); }

template <double (*kFunction)(double)>
void add_unary(FunctionRegistry& registry, std::string name, std::string help) {
  add_plain(registry, {.name = std::move(name),
                       .args = {ArgClass::kDouble},
                       .result = make_type(TypeKind::kDouble, false),
                       .kernel = unary_kernel<kFunction>,
                       .help = std::move(help)});
}

template <double (*kFunction)(double, double)>
void add_binary(FunctionRegistry& registry, std::string name, std::string help) {
  add_plain(registry, {.name = std::move(name),
                       .args = {ArgClass::kDouble, ArgClass::kDouble},
                       .result = make_type(TypeKind::kDouble, false),
                       .kernel = binary_kernel<kFunction>,
                       .help = std::move(help)});
}

void log_kernel(const KernelArgs& call) {
  if (call.args.size() == 1) return unary_kernel<std::log>(call);
  binary_kernel<log_base>(call);
}

void pi_kernel(const KernelArgs& call) {
  for (uint32_t row : call.rows) call.out.values<double>()[row] = std::numbers::pi;
}
void e_kernel(const KernelArgs& call) {
  for (uint32_t row : call.rows) call.out.values<double>()[row] = std::numbers::e;
}

void bin_kernel(const KernelArgs& call) {
  IntegerReader a(call, 0);
  for (uint32_t row : call.rows) put_text(call, row, fmt::format("{:b}", static_cast<uint64_t>(a[row])));
}

void hex_kernel(const KernelArgs& call) {
  if (call.types[0]->is_integer()) {
    IntegerReader a(call, 0);
    for (uint32_t row : call.rows) put_text(call, row, fmt::format("{:X}", static_cast<uint64_t>(a[row])));
    return;
  }
  TextReader a(call, 0);
  std::string digits;
  for (uint32_t row : call.rows) {
    digits.clear();
    for (char c : a.text(row)) digits += fmt::format("{:02X}", static_cast<unsigned char>(c));
    put_text(call, row, digits);
  }
}

Result<ResolvedCall> resolve_hex(ArgTypes types, ArgLiterals) {
  bool fits = types.size() == 1 && (types[0]->is_integer() || types[0]->is_text() || types[0]->kind == TypeKind::kNull);
  if (!fits) return argument_error("HEX", types, "HEX(INT or STRING)");
  TypePtr type = types[0]->kind == TypeKind::kNull ? make_string() : types[0];
  return ResolvedCall{make_string(false), {type}, nullptr};
}

void rand_kernel(const KernelArgs& call) {
  for (uint32_t row : call.rows) call.out.values<double>()[row] = system_random().unit();
}

void rand_integer_kernel(const KernelArgs& call) {
  IntegerReader bound(call, 0);
  for (uint32_t row : call.rows) {
    if (bound[row] <= 0) {
      call.fail(row, "RAND_INTEGER needs a positive bound");
      continue;
    }
    put_integer(call.out, row, static_cast<int64_t>(system_random().below(static_cast<uint64_t>(bound[row]))));
  }
}

void uuid_kernel(const KernelArgs& call) {
  for (uint32_t row : call.rows) {
    uint64_t high = (system_random().next() & 0xFFFFFFFFFFFF0FFFULL) | 0x4000ULL;
    uint64_t low = (system_random().next() & 0x3FFFFFFFFFFFFFFFULL) | 0x8000000000000000ULL;
    put_text(call, row,
             fmt::format("{:08x}-{:04x}-{:04x}-{:04x}-{:012x}", high >> 32, (high >> 16) & 0xFFFF, high & 0xFFFF,
                         low >> 48, low & 0xFFFFFFFFFFFFULL));
  }
}

ResolveFunction resolve_nothing(std::string name, TypePtr type) {
  return [name, type](ArgTypes types, ArgLiterals) -> Result<ResolvedCall> {
    if (!types.empty()) {
      return make_error(ErrorCode::kNotSupportedYet, name + " with arguments is not supported by this build");
    }
    return ResolvedCall{type, {}, nullptr};
  };
}

void register_double_functions(FunctionRegistry& registry) {
  add_unary<std::sqrt>(registry, "SQRT", "square root");
  add_unary<std::exp>(registry, "EXP", "e to the power");
  add_unary<std::log>(registry, "LN", "natural logarithm");
  add_unary<std::log10>(registry, "LOG10", "decimal logarithm");
  add_unary<log2_java>(registry, "LOG2", "binary logarithm");
  add_unary<std::sin>(registry, "SIN", "sine");
  add_unary<std::cos>(registry, "COS", "cosine");
  add_unary<std::tan>(registry, "TAN", "tangent");
  add_unary<cot>(registry, "COT", "cotangent");
  add_unary<std::asin>(registry, "ASIN", "arc sine");
  add_unary<std::acos>(registry, "ACOS", "arc cosine");
  add_unary<std::atan>(registry, "ATAN", "arc tangent");
  add_unary<std::sinh>(registry, "SINH", "hyperbolic sine");
  add_unary<std::cosh>(registry, "COSH", "hyperbolic cosine");
  add_unary<std::tanh>(registry, "TANH", "hyperbolic tangent");
  add_unary<degrees>(registry, "DEGREES", "radians to degrees");
  add_unary<radians>(registry, "RADIANS", "degrees to radians");
  add_binary<std::pow>(registry, "POWER", "a to the power of b");
  add_binary<std::atan2>(registry, "ATAN2", "arc tangent of y / x");
}

}  // namespace

void register_math(FunctionRegistry& registry) {
  register_rounding(registry);
  register_double_functions(registry);
  TypePtr number = make_type(TypeKind::kDouble, false);
  add_plain(registry, {.name = "LOG",
                       .args = {ArgClass::kDouble, ArgClass::kDouble},
                       .optional = 1,
                       .result = number,
                       .kernel = log_kernel,
                       .help = "natural logarithm, or LOG(base, x)"});
  add_function(registry, "PI", resolve_nothing("PI", number), pi_kernel, "3.14159…");
  add_function(registry, "E", resolve_nothing("E", number), e_kernel, "2.71828…");
  add_plain(registry, {.name = "BIN",
                       .args = {ArgClass::kInteger},
                       .result = make_string(false),
                       .kernel = bin_kernel,
                       .help = "binary digits"});
  add_function(registry, "HEX", resolve_hex, hex_kernel, "hexadecimal digits of a number or of the bytes of a text");
  add_function(registry, "RAND", resolve_nothing("RAND", number), rand_kernel, "random in [0, 1)", {true, false});
  auto rand_integer = [](ArgTypes types, ArgLiterals) -> Result<ResolvedCall> {
    if (types.size() != 1 || !types[0]->is_integer()) return argument_error("RAND_INTEGER", types, "RAND_INTEGER(INT)");
    return ResolvedCall{make_type(TypeKind::kInt, false), {make_type(TypeKind::kInt, types[0]->nullable)}, nullptr};
  };
  add_function(registry, "RAND_INTEGER", rand_integer, rand_integer_kernel, "random in [0, n)", {true, false});
  add_function(registry, "UUID", resolve_nothing("UUID", make_text(TypeKind::kChar, 36, false)), uuid_kernel,
               "a random UUID", {true, false});
}

}  // namespace millrace
