// How families describe their functions: argument classes, result types, and the error when they do not fit. Used at
// start only (registration) and at type checking.
#pragma once

#include <initializer_list>
#include <string>
#include <vector>

#include "plan/expr/function_registry.h"
#include "plan/expr/type_rules.h"
#include "runtime/spi/function.h"

namespace millrace {

using KernelFunction = void (*)(const KernelArgs&);
using ArgTypes = std::span<const TypePtr>;
using ArgLiterals = std::span<const Literal* const>;
using ResolveFunction = std::function<Result<ResolvedCall>(ArgTypes types, ArgLiterals literals)>;

enum class ArgClass : uint8_t {
  kText,     // CHAR, VARCHAR: as it is
  kInteger,  // any width, as it is (read with IntegerReader)
  kDouble,   // any number, cast to DOUBLE
  kBoolean,
  kTextOrBytes,
  kAny,
};

/// What a function of fixed argument classes answers.
struct PlainFunction {
  std::string name = {};
  std::vector<ArgClass> args = {};
  size_t optional = 0;  // how many at the end may be absent
  TypePtr result = {};  // not nullable; NULL arguments make it so
  KernelFunction kernel = nullptr;
  std::string help = {};
  bool nullable_result = false;  // may be NULL without NULL arguments
  bool repeat_last = false;      // the last class may repeat
};

void add_plain(FunctionRegistry& registry, PlainFunction function);

/// The same with a result type computed from the (cast) argument types.
void add_typed(FunctionRegistry& registry, PlainFunction function, TypePtr (*result)(ArgTypes types));

struct FunctionTraits {
  bool null_in_null_out = true;
  bool deterministic = true;
};
void add_function(FunctionRegistry& registry, std::string name, ResolveFunction resolve, KernelFunction kernel,
                  std::string help, FunctionTraits traits = {});

/// Checks the classes and gives the types to cast to.
Result<std::vector<TypePtr>> resolve_classes(const PlainFunction& function, ArgTypes types);

std::unexpected<Error> argument_error(std::string_view name, ArgTypes types, std::string_view expected);
std::unexpected<Error> argument_count_error(std::string_view name, size_t given, std::string_view expected);

bool any_nullable(ArgTypes types);
/// The text of a literal argument; null when it is none, or NULL.
const std::string* literal_text(ArgLiterals literals, size_t index);
const int64_t* literal_integer(ArgLiterals literals, size_t index);

}  // namespace millrace
