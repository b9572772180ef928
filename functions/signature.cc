#include "functions/signature.h"

#include <fmt/format.h>

namespace millrace {

namespace {

std::string_view class_name(ArgClass kind) {
  switch (kind) {
    case ArgClass::kText:
      return "STRING";
    case ArgClass::kInteger:
      return "INT";
    case ArgClass::kDouble:
      return "number";
    case ArgClass::kBoolean:
      return "BOOLEAN";
    case ArgClass::kTextOrBytes:
      return "STRING or BYTES";
    case ArgClass::kAny:
      return "any";
  }
  return "";
}

std::string usage(const PlainFunction& function) {
  std::string text = function.name + "(";
  for (size_t i = 0; i < function.args.size(); ++i) {
    bool optional = i + function.optional >= function.args.size();
    text += fmt::format("{}{}{}{}", i > 0 ? ", " : "", optional ? "[" : "", class_name(function.args[i]),
                        optional ? "]" : "");
  }
  return text + (function.repeat_last ? ", …)" : ")");
}

bool class_accepts(ArgClass kind, const TypePtr& type, TypePtr& target) {
  target = type;
  bool null = type->kind == TypeKind::kNull;
  switch (kind) {
    case ArgClass::kText:
      if (null) target = make_string();
      return null || type->is_text();
    case ArgClass::kInteger:
      if (null) target = make_type(TypeKind::kInt);
      return null || type->is_integer();
    case ArgClass::kDouble:
      target = make_type(TypeKind::kDouble, type->nullable);
      return null || type->is_numeric();
    case ArgClass::kBoolean:
      if (null) target = make_type(TypeKind::kBoolean);
      return null || type->kind == TypeKind::kBoolean;
    case ArgClass::kTextOrBytes:
      if (null) target = make_string();
      return null || type->is_text() || type->kind == TypeKind::kBytes;
    case ArgClass::kAny:
      return true;
  }
  return false;
}

}  // namespace

std::unexpected<Error> argument_error(std::string_view name, ArgTypes types, std::string_view expected) {
  std::string given;
  for (const TypePtr& type : types) given += (given.empty() ? "" : ", ") + type->to_string();
  return make_error(ErrorCode::kTypeMismatch, fmt::format("{} does not take ({})", name, given),
                    fmt::format("expected {}", expected));
}

std::unexpected<Error> argument_count_error(std::string_view name, size_t given, std::string_view expected) {
  return make_error(ErrorCode::kTypeMismatch, fmt::format("{} does not take {} arguments", name, given),
                    fmt::format("expected {}", expected));
}

Result<std::vector<TypePtr>> resolve_classes(const PlainFunction& function, ArgTypes types) {
  size_t least = function.args.size() - function.optional;
  if (types.size() < least || (types.size() > function.args.size() && !function.repeat_last)) {
    return argument_count_error(function.name, types.size(), usage(function));
  }
  std::vector<TypePtr> targets(types.size());
  for (size_t i = 0; i < types.size(); ++i) {
    ArgClass kind = function.args[std::min(i, function.args.size() - 1)];
    if (!class_accepts(kind, types[i], targets[i])) return argument_error(function.name, types, usage(function));
  }
  return targets;
}

void add_function(FunctionRegistry& registry, std::string name, ResolveFunction resolve, KernelFunction kernel,
                  std::string help, FunctionTraits traits) {
  ScalarFunction function;
  function.name = std::move(name);
  function.resolve = std::move(resolve);
  function.kernel = std::make_shared<const ScalarKernel>(ScalarKernel{kernel});
  function.help = std::move(help);
  function.null_in_null_out = traits.null_in_null_out;
  function.deterministic = traits.deterministic;
  registry.add(std::move(function));
}

void add_plain(FunctionRegistry& registry, PlainFunction function) {
  std::string name = function.name;
  std::string help = function.help;
  KernelFunction kernel = function.kernel;
  auto resolve = [function = std::move(function)](ArgTypes types, ArgLiterals) -> Result<ResolvedCall> {
    MR_ASSIGN(std::vector<TypePtr> targets, resolve_classes(function, types));
    return ResolvedCall{with_nullable(function.result, function.nullable_result), std::move(targets), nullptr};
  };
  add_function(registry, std::move(name), std::move(resolve), kernel, std::move(help));
}

void add_typed(FunctionRegistry& registry, PlainFunction function, TypePtr (*result)(ArgTypes types)) {
  std::string name = function.name;
  std::string help = function.help;
  KernelFunction kernel = function.kernel;
  auto resolve = [function = std::move(function), result](ArgTypes types, ArgLiterals) -> Result<ResolvedCall> {
    MR_ASSIGN(std::vector<TypePtr> targets, resolve_classes(function, types));
    TypePtr type = with_nullable(result(targets), function.nullable_result);
    return ResolvedCall{std::move(type), std::move(targets), nullptr};
  };
  add_function(registry, std::move(name), std::move(resolve), kernel, std::move(help));
}

bool any_nullable(ArgTypes types) {
  for (const TypePtr& type : types) {
    if (type->nullable) return true;
  }
  return false;
}

const std::string* literal_text(ArgLiterals literals, size_t index) {
  if (index >= literals.size() || literals[index] == nullptr) return nullptr;
  return std::get_if<std::string>(literals[index]);
}

const int64_t* literal_integer(ArgLiterals literals, size_t index) {
  if (index >= literals.size() || literals[index] == nullptr) return nullptr;
  return std::get_if<int64_t>(literals[index]);
}

}  // namespace millrace
