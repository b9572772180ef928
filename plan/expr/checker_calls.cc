// Calls: what the checker itself knows (logic, COALESCE, IF, IN, aggregates) and what the registry resolves.
#include <fmt/format.h>

#include <algorithm>

#include "core/nearest.h"
#include "plan/expr/ast_text.h"
#include "plan/expr/checker.h"
#include "plan/expr/type_rules.h"

namespace millrace {

namespace {

/// Functions of Flink that this build does not have: refused by name, so that nobody looks for a typing error.
constexpr std::string_view kPlannedFunctions[] = {"ARRAY_AGG",
                                                  "COLLECT",
                                                  "LISTAGG",
                                                  "GROUPING",
                                                  "GROUP_ID",
                                                  "HASH_CODE",
                                                  "TYPEOF",
                                                  "CURRENT_DATABASE",

                                                  "PARSE_JSON",
                                                  "TRY_PARSE_JSON",
                                                  "STDDEV_POP",
                                                  "STDDEV_SAMP",
                                                  "VAR_POP",
                                                  "VAR_SAMP",
                                                  "STDDEV",
                                                  "VARIANCE",
                                                  "ROW_NUMBER",
                                                  "RANK",
                                                  "DENSE_RANK",
                                                  "LAG",
                                                  "LEAD",
                                                  "NTILE",
                                                  "TUMBLE_START",
                                                  "TUMBLE_END",
                                                  "APPROX_COUNT_DISTINCT",
                                                  "PERCENTILE",
                                                  "CUME_DIST",
                                                  "PERCENT_RANK",
                                                  "JSON_LENGTH",

                                                  "SOURCE_WATERMARK"};

constexpr std::string_view kJsonReturning[] = {"STRING", "BOOLEAN", "INT", "DOUBLE"};

}  // namespace

TypedExprPtr ExpressionChecker::check_call(const Ast& ast) {
  const std::string& name = ast.name;
  if (name == "AND") return check_logic(ast, ExprKind::kAnd);
  if (name == "OR") return check_logic(ast, ExprKind::kOr);
  if (name == "NOT") return check_logic(ast, ExprKind::kNot);
  if (name == "IS NULL" || name == "IS UNKNOWN") return check_is_null(ast);
  if (name == "COALESCE" || name == "IFNULL") return check_coalesce(ast);
  if (name == "IF") return check_if(ast);
  if (name == "NULLIF") return check_nullif(ast);
  if (name == "IN") return check_in(ast);
  if (name == "ITEM") return check_item(ast);
  if (name == "JSON_VALUE") return check_json_value(ast);
  if (name == "CURRENT_WATERMARK" || name == "TIMER_TIME" || name == "PROCTIME") return check_special(ast);
  const ScalarFunction* scalar = functions_.find_scalar(name);
  if (scalar == nullptr) {
    const AggregateSignature* aggregate = functions_.find_aggregate(name);
    return aggregate != nullptr ? check_aggregate(ast, *aggregate) : unknown_function(ast);
  }
  if (ast.distinct || ast.filter || ast.star) {
    return fail(ast, ErrorCode::kExpressionSyntax,
                fmt::format("{} is not an aggregate: no DISTINCT, FILTER or *", name));
  }
  std::vector<TypedExprPtr> args;
  if (!check_arguments(ast, args)) return nullptr;
  return make_call(name, ast, std::move(args));
}

TypedExprPtr ExpressionChecker::unknown_function(const Ast& ast) {
  for (std::string_view planned : kPlannedFunctions) {
    if (planned == ast.name) {
      return fail(ast, ErrorCode::kNotSupportedYet, fmt::format("{} is not supported by this build", ast.name));
    }
  }
  std::vector<std::string_view> names = functions_.names();
  std::string near = nearest_name(ast.name, names);
  return fail(ast, ErrorCode::kUnknownFunction, fmt::format("unknown function `{}`", ast.name),
              near.empty() ? "" : fmt::format("a function with a similar name exists: `{}`", near));
}

TypedExprPtr ExpressionChecker::check_logic(const Ast& ast, ExprKind kind) {
  if (!expect_count(ast, kind == ExprKind::kNot ? 1 : 2, kind == ExprKind::kNot ? 1 : 2)) return nullptr;
  std::vector<TypedExprPtr> args;
  bool nullable = false;
  for (const AstPtr& arg : ast.args) {
    args.push_back(check_boolean(*arg, fmt::format("an operand of {}", ast.name)));
    if (failed_) return nullptr;
    nullable = nullable || args.back()->type->nullable;
  }
  Node made = node(kind, ast, make_type(TypeKind::kBoolean, nullable));
  made->args = std::move(args);
  return made;
}

TypedExprPtr ExpressionChecker::check_is_null(const Ast& ast) {
  TypedExprPtr operand =
      ast.name == "IS NULL" ? check(*ast.args[0]) : check_boolean(*ast.args[0], "IS UNKNOWN's operand");
  if (!operand) return nullptr;
  Node made = node(ExprKind::kIsNull, ast, make_type(TypeKind::kBoolean, false));
  made->args = {operand};
  return made;
}

TypedExprPtr ExpressionChecker::check_coalesce(const Ast& ast) {
  size_t most = ast.name == "IFNULL" ? 2 : SIZE_MAX;
  if (!expect_count(ast, ast.name == "IFNULL" ? 2 : 1, most)) return nullptr;
  std::vector<TypedExprPtr> args;
  if (!check_arguments(ast, args)) return nullptr;
  std::vector<TypePtr> types;
  bool nullable = true;
  for (const TypedExprPtr& arg : args) {
    types.push_back(arg->type);
    nullable = nullable && arg->type->nullable;
  }
  TypePtr type = least_restrictive(types);
  if (!type)
    return fail(ast, ErrorCode::kTypeMismatch, fmt::format("the arguments of {} have no common type", ast.name));
  type = with_nullable(type, nullable);
  for (TypedExprPtr& arg : args) arg = coerce(arg, type, ast);
  if (failed_) return nullptr;
  if (args.size() == 1) return args[0];
  Node made = node(ExprKind::kCoalesce, ast, type);
  made->args = std::move(args);
  return made;
}

TypedExprPtr ExpressionChecker::check_if(const Ast& ast) {
  if (!expect_count(ast, 3, 3)) return nullptr;
  std::vector<TypedExprPtr> args = {check_boolean(*ast.args[0], "the condition of IF")};
  args.push_back(check(*ast.args[1]));
  args.push_back(check(*ast.args[2]));
  return failed_ ? nullptr : make_case(ast, std::move(args));
}

TypedExprPtr ExpressionChecker::check_nullif(const Ast& ast) {
  if (!expect_count(ast, 2, 2)) return nullptr;
  std::vector<TypedExprPtr> args;
  if (!check_arguments(ast, args)) return nullptr;
  TypedExprPtr equal = make_call("=", ast, args);
  if (!equal) return nullptr;
  Node nothing = node(ExprKind::kLiteral, ast, with_nullable(args[0]->type, true));
  return make_case(ast, {equal, nothing, args[0]});
}

TypedExprPtr ExpressionChecker::check_in(const Ast& ast) {
  std::vector<TypedExprPtr> args;
  if (!check_arguments(ast, args)) return nullptr;
  if (args.size() == 2) return make_call("=", ast, std::move(args));
  TypePtr type = args[0]->type;
  for (size_t i = 1; i < args.size(); ++i) {
    TypePtr common = comparison_type(type, args[i]->type);
    if (!common) {
      return fail(ast, ErrorCode::kTypeMismatch,
                  fmt::format("{} cannot be compared with {}", type->to_string(), args[i]->type->to_string()));
    }
    type = common;
  }
  for (TypedExprPtr& arg : args) arg = coerce(arg, type, ast);
  return make_call("IN", ast, std::move(args));
}

TypedExprPtr ExpressionChecker::check_item(const Ast& ast) {
  TypedExprPtr whole = check(*ast.args[0]);
  if (!whole) return nullptr;
  // row['field'] is row.field.
  const Ast& index = *ast.args[1];
  if (whole->type->kind == TypeKind::kRow) {
    if (index.kind == AstKind::kLiteral && std::holds_alternative<std::string>(index.literal)) {
      return select_field(whole, std::get<std::string>(index.literal), ast);
    }
    return fail(index, ErrorCode::kTypeMismatch, "a field of a ROW is chosen by its name: row.field or row['field']");
  }
  TypedExprPtr position = check(index);
  return position ? make_call("ITEM", ast, {whole, position}) : nullptr;
}

TypedExprPtr ExpressionChecker::check_json_value(const Ast& ast) {
  std::vector<TypedExprPtr> args;
  if (!check_arguments(ast, args)) return nullptr;
  std::string name = "JSON_VALUE";
  if (ast.type) {
    std::string returning = ast.type->to_string();
    if (std::ranges::find(kJsonReturning, returning) == std::end(kJsonReturning)) {
      return fail(ast, ErrorCode::kTypeMismatch, "JSON_VALUE returns STRING, BOOLEAN, INT or DOUBLE");
    }
    if (returning != "STRING") name += " " + returning;
  }
  return make_call(name, ast, std::move(args));
}

TypedExprPtr ExpressionChecker::check_special(const Ast& ast) {
  if (ast.name == "CURRENT_WATERMARK") {
    // Flink's form names the event-time column; there is one event time here, so the argument decides nothing.
    if (!expect_count(ast, 0, 1)) return nullptr;
    if (!ast.args.empty() && !check(*ast.args[0])) return nullptr;
    if (!scope_.allow_watermark) {
      return fail(ast, ErrorCode::kTypeMismatch,
                  "CURRENT_WATERMARK() is not available here: this step sees no watermark");
    }
  } else if (!expect_count(ast, 0, 0)) {
    return nullptr;
  }
  if (ast.name == "TIMER_TIME" && !scope_.allow_timer_time) {
    return fail(ast, ErrorCode::kTypeMismatch, "TIMER_TIME() is available in on_timer expressions only");
  }
  bool now = ast.name == "PROCTIME";
  Node made =
      node(ExprKind::kSpecial, ast, make_temporal(now ? TypeKind::kTimestampLtz : TypeKind::kTimestamp, 3, !now));
  made->name = ast.name;
  return made;
}

TypedExprPtr ExpressionChecker::check_aggregate(const Ast& ast, const AggregateSignature& signature) {
  if (aggregates_ == nullptr) {
    return fail(ast, ErrorCode::kTypeMismatch,
                fmt::format("{} is an aggregate; it stands in aggregate: only", ast.name));
  }
  if (ast.star && ast.name != "COUNT") return fail(ast, ErrorCode::kExpressionSyntax, "only COUNT takes *");
  // Arguments see the input, and no aggregates inside.
  auto check_input = [&](const Ast& part) -> TypedExprPtr {
    ExpressionChecker inner(aggregates_->input, functions_);
    TypedExprPtr typed = inner.check(part);
    if (inner.failed_ && !failed_) {
      failed_ = true;
      error_ = inner.error_;
    }
    return failed_ ? nullptr : typed;
  };
  AggregateCall call;
  call.function = &signature;
  call.name = ast.name;
  call.distinct = ast.distinct;
  std::vector<TypePtr> types;
  for (const AstPtr& arg : ast.args) {
    call.args.push_back(check_input(*arg));
    if (failed_) return nullptr;
    types.push_back(call.args.back()->type);
  }
  if (!ast.star && ast.args.empty())
    return fail(ast, ErrorCode::kTypeMismatch, fmt::format("{} takes an argument", ast.name));
  if (ast.filter) {
    call.filter = check_input(*ast.filter);
    if (failed_) return nullptr;
    if (call.filter->type->kind != TypeKind::kBoolean) {
      return fail(*ast.filter, ErrorCode::kTypeMismatch, "the condition of FILTER must be BOOLEAN");
    }
  }
  auto resolved = signature.resolve(types);
  if (!resolved) return fail(ast, resolved.error().code, resolved.error().message, resolved.error().help);
  for (size_t i = 0; i < call.args.size() && i < resolved->arg_types.size(); ++i) {
    if (resolved->arg_types[i]) call.args[i] = coerce(call.args[i], resolved->arg_types[i], ast);
  }
  if (failed_) return nullptr;
  call.type = resolved->type;
  call.text = ast_text(ast);
  Node made = node(ExprKind::kColumn, ast, call.type);
  made->column = static_cast<uint32_t>(aggregates_->first_column + aggregates_->calls.size());
  aggregates_->calls.push_back(std::move(call));
  return made;
}

}  // namespace millrace
