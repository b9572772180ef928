// The job's time zone: where an expression takes a TIMESTAMP_LTZ for a local time, or the other way round, the
// conversion becomes a call here, so that functions and the evaluator know nothing of zones. UTC needs none.
#include <algorithm>
#include <array>

#include "plan/expr/checker.h"
#include "plan/expr/function_registry.h"

namespace millrace {

namespace {

/// They read the fields of a local time.
constexpr std::array<std::string_view, 14> kLocalFunctions = {
    "EXTRACT",   "YEAR", "QUARTER", "MONTH",  "WEEK",     "DAYOFYEAR", "DAYOFMONTH",
    "DAYOFWEEK", "HOUR", "MINUTE",  "SECOND", "FLOOR TO", "CEIL TO",   "DATE_FORMAT"};
constexpr std::array<std::string_view, 4> kLocalNow = {"LOCALTIMESTAMP", "CURRENT_DATE", "CURRENT_TIME", "LOCALTIME"};

bool is_ltz(const TypedExprPtr& expr) { return expr->type->kind == TypeKind::kTimestampLtz; }

}  // namespace

const Scope::Parameter* ExpressionChecker::zone() const {
  const auto found = std::ranges::find(scope_.parameters, kTimeZoneParameter, &Scope::Parameter::name);
  return found == scope_.parameters.end() ? nullptr : &*found;
}

TypedExprPtr ExpressionChecker::zone_call(std::string_view function, const Ast& ast, TypedExprPtr arg) {
  if (failed_ || !arg) return nullptr;
  Node name = node(ExprKind::kLiteral, ast, make_string(false));
  name->literal = zone()->value;
  return plain_call(std::string(function), ast, {std::move(arg), std::move(name)});
}

TypedExprPtr ExpressionChecker::cast_in_zone(TypedExprPtr expr, const TypePtr& target, const Ast& ast, bool try_cast) {
  const bool to_ltz = target->kind == TypeKind::kTimestampLtz;
  if (zone() == nullptr || is_ltz(expr) == to_ltz || expr->type->kind == TypeKind::kNull) {
    return make_cast(std::move(expr), target, try_cast);
  }
  if (to_ltz) {
    TypedExprPtr local = make_cast(std::move(expr), make_temporal(TypeKind::kTimestamp, 3, true), try_cast);
    expr = zone_call("LTZ OF LOCAL", ast, std::move(local));
  } else {
    expr = zone_call("LOCAL OF LTZ", ast, std::move(expr));
  }
  return expr ? make_cast(std::move(expr), target, try_cast) : nullptr;
}

TypedExprPtr ExpressionChecker::make_call(const std::string& name, const Ast& ast, std::vector<TypedExprPtr> args) {
  if (failed_) return nullptr;
  if (zone() == nullptr) return plain_call(name, ast, std::move(args));
  if (std::ranges::find(kLocalNow, name) != kLocalNow.end() && args.empty()) {
    const TypedExprPtr plain = plain_call(name, ast, {});
    TypedExprPtr local = zone_call("LOCAL OF LTZ", ast, plain_call("CURRENT_TIMESTAMP", ast, {}));
    return local ? make_cast(std::move(local), plain->type) : nullptr;
  }
  if (name == "FROM_UNIXTIME" && !args.empty()) {
    Node seconds = node(ExprKind::kLiteral, ast, make_type(TypeKind::kInt, false));
    seconds->literal = int64_t{0};
    Node pattern = node(ExprKind::kLiteral, ast, make_string(false));
    pattern->literal = std::string("yyyy-MM-dd HH:mm:ss");
    const TypedExprPtr form = args.size() > 1 ? args[1] : pattern;
    TypedExprPtr local = zone_call("LOCAL OF LTZ", ast, plain_call("TO_TIMESTAMP_LTZ", ast, {args[0], seconds}));
    return local ? plain_call("DATE_FORMAT", ast, {std::move(local), form}) : nullptr;
  }
  if (name == "UNIX_TIMESTAMP" && !args.empty()) {
    return zone_call("SECONDS OF LOCAL", ast, plain_call(name, ast, std::move(args)));
  }
  if (std::ranges::find(kLocalFunctions, name) == kLocalFunctions.end() || !std::ranges::any_of(args, is_ltz)) {
    return plain_call(name, ast, std::move(args));
  }
  for (TypedExprPtr& arg : args) {
    if (is_ltz(arg)) arg = zone_call("LOCAL OF LTZ", ast, std::move(arg));
    if (failed_) return nullptr;
  }
  TypedExprPtr made = plain_call(name, ast, std::move(args));
  const bool stays = name == "FLOOR TO" || name == "CEIL TO";
  return stays ? zone_call("LTZ OF LOCAL", ast, std::move(made)) : made;
}

}  // namespace millrace
