// Internal to plan/expr: types the tree. One object per expression; not shared between threads. The first error wins.
#pragma once

#include <string>
#include <vector>

#include "plan/expr/ast.h"
#include "plan/expr/function_registry.h"

namespace millrace {

/// Where aggregate calls go when an `aggregate:` entry is checked.
struct AggregateContext {
  const Scope& input;   // of the arguments and filters
  size_t first_column;  // column index of the first call in the result scope
  std::vector<AggregateCall> calls;
};

class ExpressionChecker {
 public:
  ExpressionChecker(const Scope& scope, const FunctionRegistry& functions, AggregateContext* aggregates = nullptr)
      : scope_(scope), functions_(functions), aggregates_(aggregates) {}

  ExprResult<TypedExprPtr> run(const AstPtr& ast);

 private:
  using Node = std::shared_ptr<TypedExpr>;

  TypedExprPtr check(const Ast& ast);
  TypedExprPtr check_name(const Ast& ast);
  TypedExprPtr check_parameter(const Ast& ast);
  TypedExprPtr check_field(const Ast& ast);
  TypedExprPtr select_field(TypedExprPtr row, const std::string& field, const Ast& ast);
  TypedExprPtr check_cast(const Ast& ast);
  TypedExprPtr check_case(const Ast& ast);
  TypedExprPtr check_call(const Ast& ast);
  TypedExprPtr check_logic(const Ast& ast, ExprKind kind);
  TypedExprPtr check_is_null(const Ast& ast);
  TypedExprPtr check_coalesce(const Ast& ast);
  TypedExprPtr check_if(const Ast& ast);
  TypedExprPtr check_nullif(const Ast& ast);
  TypedExprPtr check_in(const Ast& ast);
  TypedExprPtr check_special(const Ast& ast);
  TypedExprPtr check_item(const Ast& ast);
  TypedExprPtr check_json_value(const Ast& ast);
  TypedExprPtr check_aggregate(const Ast& ast, const AggregateSignature& signature);
  TypedExprPtr unknown_function(const Ast& ast);
  TypedExprPtr unknown_column(const Ast& ast, const std::string& name);

  /// A call of a registered function with checked arguments.
  TypedExprPtr make_call(const std::string& name, const Ast& ast, std::vector<TypedExprPtr> args);
  /// The same without regard to the time zone.
  TypedExprPtr plain_call(const std::string& name, const Ast& ast, std::vector<TypedExprPtr> args);
  /// The job's time zone; null: UTC.
  [[nodiscard]] const Scope::Parameter* zone() const;
  TypedExprPtr zone_call(std::string_view function, const Ast& ast, TypedExprPtr arg);
  TypedExprPtr cast_in_zone(TypedExprPtr expr, const TypePtr& target, const Ast& ast, bool try_cast = false);
  TypedExprPtr make_case(const Ast& ast, std::vector<TypedExprPtr> args);
  /// Casts where needed; `what` names the place in the message.
  TypedExprPtr coerce(TypedExprPtr expr, const TypePtr& target, const Ast& ast);
  TypedExprPtr check_boolean(const Ast& ast, std::string_view what);
  bool check_arguments(const Ast& ast, std::vector<TypedExprPtr>& args);
  bool expect_count(const Ast& ast, size_t least, size_t most);
  static Node node(ExprKind kind, const Ast& ast, TypePtr type);
  std::nullptr_t fail(const Ast& ast, ErrorCode code, std::string message, std::string help = {});

  const Scope& scope_;
  const FunctionRegistry& functions_;
  AggregateContext* aggregates_;
  bool failed_ = false;
  ExprError error_;
};

/// A conversion node, or the literal itself in the new type where that is exact. REQUIRES: cast_support is kYes.
TypedExprPtr make_cast(TypedExprPtr expr, const TypePtr& target, bool try_cast = false);

}  // namespace millrace
