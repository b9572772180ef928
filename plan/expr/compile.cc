// The entry points: parse, check, convert; and the walks over typed trees.
#include <fmt/format.h>

#include <algorithm>

#include "plan/expr/checker.h"
#include "plan/expr/type_rules.h"

namespace millrace {

Scope Scope::of(const Schema& schema) {
  Scope scope;
  for (const Field& field : schema.fields) scope.columns.push_back({"", field.name, field.type});
  return scope;
}

ExprResult<TypedExprPtr> check_expression(const AstPtr& ast, const Scope& scope, const FunctionRegistry& functions) {
  return ExpressionChecker(scope, functions).run(ast);
}

ExprResult<TypedExprPtr> compile_expression(std::string_view text, const Scope& scope,
                                            const FunctionRegistry& functions) {
  auto ast = parse_expression(text);
  if (!ast) return std::unexpected(ast.error());
  return check_expression(*ast, scope, functions);
}

ExprResult<TypedExprPtr> compile_predicate(std::string_view text, const Scope& scope,
                                           const FunctionRegistry& functions) {
  auto typed = compile_expression(text, scope, functions);
  if (!typed) return typed;
  if ((*typed)->type->kind == TypeKind::kNull) return make_cast(*typed, make_type(TypeKind::kBoolean));
  if ((*typed)->type->kind != TypeKind::kBoolean) {
    return std::unexpected(ExprError{ErrorCode::kTypeMismatch,
                                     fmt::format("a condition is needed, this is {}", (*typed)->type->to_string()),
                                     "compare it, for example with `<> 0`", 0, static_cast<uint32_t>(text.size())});
  }
  return typed;
}

ExprResult<TypedExprPtr> coerce_expression(TypedExprPtr expr, const TypePtr& target) {
  if (converts_implicitly(*expr->type, *target) && cast_support(*expr->type, *target) == CastSupport::kYes) {
    return make_cast(std::move(expr), target);
  }
  std::string from = expr->type->to_string();
  std::string to = target->to_string();
  return std::unexpected(ExprError{ErrorCode::kTypeMismatch,
                                   fmt::format("{} does not convert to {} by itself", from, to),
                                   fmt::format("write CAST(… AS {})", to), expr->begin, expr->end});
}

ExprResult<AggregateExpression> compile_aggregate(std::string_view text, const Scope& input, const Scope& keys,
                                                  size_t calls_before, const FunctionRegistry& functions) {
  auto ast = parse_expression(text);
  if (!ast) return std::unexpected(ast.error());
  Scope result_scope = keys;
  result_scope.allow_watermark = true;
  if (result_scope.parameters.empty()) result_scope.parameters = input.parameters;
  AggregateContext context{input, keys.columns.size() + calls_before, {}};
  auto result = ExpressionChecker(result_scope, functions, &context).run(*ast);
  if (!result) return std::unexpected(result.error());
  return AggregateExpression{std::move(context.calls), std::move(*result)};
}

void collect_columns(const TypedExpr& expr, std::vector<uint32_t>& columns) {
  if (expr.kind == ExprKind::kColumn) {
    auto at = std::lower_bound(columns.begin(), columns.end(), expr.column);
    if (at == columns.end() || *at != expr.column) columns.insert(at, expr.column);
  }
  for (const TypedExprPtr& arg : expr.args) collect_columns(*arg, columns);
}

TypedExprPtr remap_columns(const TypedExprPtr& expr, const std::vector<uint32_t>& map) {
  auto copy = std::make_shared<TypedExpr>(*expr);
  if (copy->kind == ExprKind::kColumn) copy->column = map[copy->column];
  for (TypedExprPtr& arg : copy->args) arg = remap_columns(arg, map);
  return copy;
}

}  // namespace millrace
