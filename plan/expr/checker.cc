#include "plan/expr/checker.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/nearest.h"
#include "data/decimal.h"
#include "plan/expr/type_rules.h"

namespace millrace {

namespace {

/// The literal in another type when nothing is lost, so that plans and kernels see a plain constant.
bool fold_literal(const TypedExpr& expr, const DataType& target, Literal& out) {
  if (expr.kind != ExprKind::kLiteral) return false;
  const auto* integer = std::get_if<int64_t>(&expr.literal);
  if (integer != nullptr && expr.type->is_integer()) {
    if (target.kind == TypeKind::kDouble && std::abs(*integer) < (int64_t{1} << 53)) {
      out = static_cast<double>(*integer);
      return true;
    }
    int128 unscaled = 0;
    if (target.kind == TypeKind::kDecimal && decimal_rescale(*integer, 0, target.scale, target.precision, unscaled)) {
      out = unscaled;
      return true;
    }
    if (target.is_integer() && target.kind >= expr.type->kind) {
      out = *integer;
      return true;
    }
  }
  const auto* decimal = std::get_if<int128>(&expr.literal);
  if (decimal != nullptr && expr.type->kind == TypeKind::kDecimal) {
    int128 unscaled = 0;
    if (target.kind == TypeKind::kDecimal && target.scale >= expr.type->scale &&
        decimal_rescale(*decimal, expr.type->scale, target.scale, target.precision, unscaled)) {
      out = unscaled;
      return true;
    }
    if (target.kind == TypeKind::kDouble) {
      out = decimal_to_double(*decimal, expr.type->scale);
      return true;
    }
  }
  return false;
}

}  // namespace

TypedExprPtr make_cast(TypedExprPtr expr, const TypePtr& target, bool try_cast) {
  TypePtr type = with_nullable(target, try_cast || expr->type->nullable);
  if (same_type(*expr->type, *type)) return expr;
  auto made = std::make_shared<TypedExpr>();
  made->begin = expr->begin;
  made->end = expr->end;
  made->type = type;
  if (expr->kind == ExprKind::kLiteral && std::holds_alternative<std::monostate>(expr->literal)) {
    made->type = with_nullable(target, true);
    return made;
  }
  if (fold_literal(*expr, *target, made->literal)) return made;
  made->kind = ExprKind::kCast;
  made->try_cast = try_cast;
  made->args = {std::move(expr)};
  return made;
}

ExpressionChecker::Node ExpressionChecker::node(ExprKind kind, const Ast& ast, TypePtr type) {
  auto made = std::make_shared<TypedExpr>();
  made->kind = kind;
  made->type = std::move(type);
  made->begin = ast.begin;
  made->end = ast.end;
  return made;
}

std::nullptr_t ExpressionChecker::fail(const Ast& ast, ErrorCode code, std::string message, std::string help) {
  if (!failed_) error_ = ExprError{code, std::move(message), std::move(help), ast.begin, ast.end};
  failed_ = true;
  return nullptr;
}

ExprResult<TypedExprPtr> ExpressionChecker::run(const AstPtr& ast) {
  TypedExprPtr typed = check(*ast);
  if (failed_ || !typed) return std::unexpected(error_);
  return typed;
}

TypedExprPtr ExpressionChecker::check(const Ast& ast) {
  if (failed_) return nullptr;
  switch (ast.kind) {
    case AstKind::kLiteral: {
      Node made = node(ExprKind::kLiteral, ast, ast.type);
      made->literal = ast.literal;
      return made;
    }
    case AstKind::kName:
      return check_name(ast);
    case AstKind::kParameter:
      return check_parameter(ast);
    case AstKind::kCall:
      return check_call(ast);
    case AstKind::kCase:
      return check_case(ast);
    case AstKind::kCast:
      return check_cast(ast);
    case AstKind::kField:
      return check_field(ast);
  }
  return nullptr;
}

TypedExprPtr ExpressionChecker::unknown_column(const Ast& ast, const std::string& name) {
  if (aggregates_ != nullptr) {
    for (const Scope::Entry& entry : aggregates_->input.columns) {
      if (entry.name == name) {
        return fail(ast, ErrorCode::kUnknownColumn,
                    fmt::format("column `{}` is neither a key nor inside an aggregate", name),
                    fmt::format("write for example MAX({}), or add it to the keys", name));
      }
    }
  }
  std::vector<std::string_view> names;
  for (const Scope::Entry& entry : scope_.columns) names.push_back(entry.name);
  std::string near = nearest_name(name, names);
  return fail(ast, ErrorCode::kUnknownColumn, fmt::format("unknown column `{}`", name),
              near.empty() ? "" : fmt::format("a column with a similar name exists: `{}`", near));
}

TypedExprPtr ExpressionChecker::check_name(const Ast& ast) {
  const std::vector<std::string>& path = ast.path;
  auto find = [&](const std::string* qualifier, const std::string& name, size_t& count) {
    uint32_t index = 0;
    count = 0;
    for (size_t i = 0; i < scope_.columns.size(); ++i) {
      const Scope::Entry& entry = scope_.columns[i];
      if (entry.name != name || (qualifier != nullptr && entry.qualifier != *qualifier)) continue;
      if (count++ == 0) index = static_cast<uint32_t>(i);
    }
    return index;
  };
  size_t count = 0;
  size_t used = 1;
  uint32_t column = find(nullptr, path[0], count);
  if (path.size() > 1) {
    size_t qualified = 0;
    uint32_t other = find(&path[0], path[1], qualified);
    if (qualified > 0) {
      column = other;
      count = qualified;
      used = 2;
    }
  }
  if (count == 0) return unknown_column(ast, path.size() == 1 ? path[0] : fmt::format("{}", fmt::join(path, ".")));
  if (count > 1) {
    return fail(ast, ErrorCode::kUnknownColumn, fmt::format("column `{}` exists in several inputs", path[0]),
                "write input.column");
  }
  Node made = node(ExprKind::kColumn, ast, scope_.columns[column].type);
  made->column = column;
  TypedExprPtr result = made;
  for (size_t i = used; i < path.size() && result; ++i) result = select_field(result, path[i], ast);
  return result;
}

TypedExprPtr ExpressionChecker::select_field(TypedExprPtr row, const std::string& field, const Ast& ast) {
  const DataType& type = *row->type;
  if (type.kind != TypeKind::kRow) {
    return fail(ast, ErrorCode::kTypeMismatch, fmt::format("`.{}` needs a ROW, this is {}", field, type.to_string()));
  }
  for (size_t i = 0; i < type.field_names.size(); ++i) {
    if (type.field_names[i] != field) continue;
    const TypePtr& child = type.children[i];
    Node made = node(ExprKind::kField, ast, with_nullable(child, child->nullable || type.nullable));
    made->name = field;
    made->column = static_cast<uint32_t>(i);
    made->args = {std::move(row)};
    return made;
  }
  std::vector<std::string_view> names(type.field_names.begin(), type.field_names.end());
  std::string near = nearest_name(field, names);
  return fail(ast, ErrorCode::kUnknownColumn, fmt::format("no field `{}` in {}", field, type.to_string()),
              near.empty() ? "" : fmt::format("a field with a similar name exists: `{}`", near));
}

TypedExprPtr ExpressionChecker::check_field(const Ast& ast) {
  TypedExprPtr row = check(*ast.args[0]);
  return row ? select_field(std::move(row), ast.name, ast) : nullptr;
}

TypedExprPtr ExpressionChecker::check_parameter(const Ast& ast) {
  const auto& parameters = scope_.parameters;
  for (const Scope::Parameter& parameter : parameters) {
    if (parameter.name != ast.name) continue;
    Node made = node(ExprKind::kLiteral, ast, parameter.type);
    made->literal = parameter.value;
    return made;
  }
  std::vector<std::string_view> names;
  for (const Scope::Parameter& parameter : parameters) names.push_back(parameter.name);
  std::string near = nearest_name(ast.name, names);
  return fail(
      ast, ErrorCode::kUnknownVariable, fmt::format("unknown parameter `${}`", ast.name),
      near.empty() ? "declare it under params:" : fmt::format("a parameter with a similar name exists: `${}`", near));
}

TypedExprPtr ExpressionChecker::check_cast(const Ast& ast) {
  TypedExprPtr operand = check(*ast.args[0]);
  if (!operand) return nullptr;
  CastSupport support = cast_support(*operand->type, *ast.type);
  if (support != CastSupport::kYes) {
    bool never = support == CastSupport::kNo;
    return fail(ast, never ? ErrorCode::kTypeMismatch : ErrorCode::kNotSupportedYet,
                fmt::format("{} cannot be cast to {}{}", operand->type->to_string(), ast.type->to_string(),
                            never ? "" : " by this build"));
  }
  TypedExprPtr made = cast_in_zone(operand, ast.type, ast, ast.try_cast);
  if (!made) return nullptr;
  if (made == operand && made->type->nullable != (ast.try_cast || operand->type->nullable)) return made;
  if (made->begin == ast.begin && made->end == ast.end) return made;
  auto placed = std::make_shared<TypedExpr>(*made);
  placed->begin = ast.begin;
  placed->end = ast.end;
  return placed;
}

TypedExprPtr ExpressionChecker::coerce(TypedExprPtr expr, const TypePtr& target, const Ast& ast) {
  if (!expr) return nullptr;
  CastSupport support = cast_support(*expr->type, *target);
  if (support == CastSupport::kYes) return cast_in_zone(std::move(expr), target, ast);
  return fail(ast, support == CastSupport::kNo ? ErrorCode::kTypeMismatch : ErrorCode::kNotSupportedYet,
              fmt::format("{} does not convert to {}", expr->type->to_string(), target->to_string()));
}

TypedExprPtr ExpressionChecker::check_boolean(const Ast& ast, std::string_view what) {
  TypedExprPtr expr = check(ast);
  if (!expr) return nullptr;
  if (expr->type->kind == TypeKind::kNull) return make_cast(expr, make_type(TypeKind::kBoolean));
  if (expr->type->kind != TypeKind::kBoolean) {
    return fail(ast, ErrorCode::kTypeMismatch,
                fmt::format("{} must be BOOLEAN, this is {}", what, expr->type->to_string()));
  }
  return expr;
}

TypedExprPtr ExpressionChecker::make_case(const Ast& ast, std::vector<TypedExprPtr> args) {
  std::vector<TypePtr> types;
  for (size_t i = 1; i < args.size(); i += 2) types.push_back(args[i]->type);
  types.push_back(args.back()->type);
  TypePtr type = least_restrictive(types);
  if (!type) {
    std::string text;
    for (const TypePtr& one : types) text += (text.empty() ? "" : ", ") + one->to_string();
    return fail(ast, ErrorCode::kTypeMismatch, fmt::format("the branches have no common type: {}", text));
  }
  for (size_t i = 1; i < args.size(); i += 2) {
    args[i] = coerce(args[i], type, ast);
  }
  args.back() = coerce(args.back(), type, ast);
  if (failed_) return nullptr;
  Node made = node(ExprKind::kCase, ast, type);
  made->args = std::move(args);
  return made;
}

TypedExprPtr ExpressionChecker::check_case(const Ast& ast) {
  TypedExprPtr operand = ast.args[0] ? check(*ast.args[0]) : nullptr;
  std::vector<TypedExprPtr> args;
  for (size_t i = 1; i + 1 < ast.args.size() && !failed_; i += 2) {
    if (operand) {
      TypedExprPtr value = check(*ast.args[i]);
      if (failed_) return nullptr;
      args.push_back(make_call("=", *ast.args[i], {operand, value}));
    } else {
      args.push_back(check_boolean(*ast.args[i], "a condition of CASE"));
    }
    if (!failed_) args.push_back(check(*ast.args[i + 1]));
  }
  if (failed_) return nullptr;
  if (ast.args.back()) {
    args.push_back(check(*ast.args.back()));
  } else {
    args.push_back(node(ExprKind::kLiteral, ast, make_type(TypeKind::kNull)));
  }
  return failed_ ? nullptr : make_case(ast, std::move(args));
}

TypedExprPtr ExpressionChecker::plain_call(const std::string& name, const Ast& ast, std::vector<TypedExprPtr> args) {
  if (failed_) return nullptr;
  const ScalarFunction* function = functions_.find_scalar(name);
  if (function == nullptr) return unknown_function(ast);
  std::vector<TypePtr> types;
  std::vector<const Literal*> literals;
  bool any_null = false;
  for (const TypedExprPtr& arg : args) {
    types.push_back(arg->type);
    literals.push_back(arg->kind == ExprKind::kLiteral ? &arg->literal : nullptr);
    any_null = any_null || arg->type->nullable;
  }
  auto resolved = function->resolve(types, literals);
  if (!resolved) {
    const Error& error = resolved.error();
    return fail(ast, error.code, error.message, error.help.empty() ? function->help : error.help);
  }
  for (size_t i = 0; i < args.size() && i < resolved->arg_types.size(); ++i) {
    if (resolved->arg_types[i]) args[i] = coerce(args[i], resolved->arg_types[i], ast);
  }
  if (failed_) return nullptr;
  TypePtr type = resolved->type;
  if (function->null_in_null_out && any_null && !type->nullable) type = with_nullable(type, true);
  Node made = node(ExprKind::kCall, ast, std::move(type));
  made->name = name;
  made->args = std::move(args);
  made->function = function;
  made->bound = resolved->bound;
  return made;
}

bool ExpressionChecker::check_arguments(const Ast& ast, std::vector<TypedExprPtr>& args) {
  for (const AstPtr& arg : ast.args) {
    args.push_back(check(*arg));
    if (failed_) return false;
  }
  return true;
}

bool ExpressionChecker::expect_count(const Ast& ast, size_t least, size_t most) {
  if (ast.args.size() >= least && ast.args.size() <= most) return true;
  std::string range = least == most      ? fmt::format("{}", least)
                      : most == SIZE_MAX ? fmt::format("at least {}", least)
                                         : fmt::format("{} to {}", least, most);
  fail(ast, ErrorCode::kTypeMismatch, fmt::format("{} takes {} arguments, not {}", ast.name, range, ast.args.size()));
  return false;
}

}  // namespace millrace
