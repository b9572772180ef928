// Expressions from text to a typed tree: parse_expression, then check_expression against the columns in scope.
// Pure functions of their arguments; any thread. Evaluation over batches is runtime/expr/evaluator.h.
#pragma once

#include <cstdint>
#include <expected>
#include <memory>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "core/status.h"
#include "data/types.h"

namespace millrace {

/// A mistake inside an expression's text: byte range [begin, end) for the caret.
struct ExprError {
  ErrorCode code = ErrorCode::kExpressionSyntax;
  std::string message;
  std::string help;
  uint32_t begin = 0;
  uint32_t end = 0;
};
template <class T>
using ExprResult = std::expected<T, ExprError>;

struct Ast;  // plan/expr/ast.h
using AstPtr = std::shared_ptr<const Ast>;

/// Pratt parser for SQL scalar expressions and aggregate calls.
ExprResult<AstPtr> parse_expression(std::string_view text);

struct ScalarFunction;  // plan/expr/function_registry.h
class FunctionRegistry;

/// A value known at plan time; std::monostate = NULL. Integers of all widths, dates, times and intervals as int64;
/// DECIMAL as int128 unscaled; text and bytes as string.
using Literal = std::variant<std::monostate, bool, int64_t, double, __int128, std::string>;

enum class ExprKind : uint8_t {
  kColumn,
  kLiteral,
  kCall,
  kCast,
  kCase,
  kAnd,
  kOr,
  kNot,
  kIsNull,
  kField,
  kSpecial,
  kCoalesce
};

struct TypedExpr;
using TypedExprPtr = std::shared_ptr<const TypedExpr>;

/// A type-checked node. Implicit conversions are explicit kCast nodes here.
struct TypedExpr {
  ExprKind kind = ExprKind::kLiteral;
  TypePtr type;
  uint32_t begin = 0;  // position in the text, for run-time errors
  uint32_t end = 0;
  uint32_t column = 0;                       // kColumn: index in the scope
  Literal literal;                           // kLiteral
  std::vector<TypedExprPtr> args;            // kCase: when, then, …, else (else always present)
  const ScalarFunction* function = nullptr;  // kCall
  std::shared_ptr<const void> bound;         // kCall: what the function prepared for these argument types
  bool try_cast = false;                     // kCast
  std::string name;                          // kSpecial: "CURRENT_WATERMARK", "TIMER_TIME", "PROCTIME"; kField: field
};

/// No parameter of a user can have this name.
inline constexpr std::string_view kTimeZoneParameter = "time zone";

/// What names mean: the columns of one input (or, in joins, qualified columns `input.column`).
struct Scope {
  struct Entry {
    std::string qualifier;  // "" or the input's name
    std::string name;
    TypePtr type;
  };
  /// A typed constant written as $name (job parameters).
  struct Parameter {
    std::string name;
    TypePtr type;
    Literal value;
  };
  std::vector<Entry> columns;
  std::vector<Parameter> parameters;  // among them kTimeZoneParameter, where the job's time zone is not UTC
  bool allow_watermark = false;       // CURRENT_WATERMARK() may be used
  bool allow_timer_time = false;      // TIMER_TIME() may be used

  static Scope of(const Schema& schema);
};

ExprResult<TypedExprPtr> check_expression(const AstPtr& ast, const Scope& scope, const FunctionRegistry& functions);
/// parse + check; adds a cast to BOOLEAN's error when `boolean` is demanded (filter, having, WHERE).
ExprResult<TypedExprPtr> compile_expression(std::string_view text, const Scope& scope,
                                            const FunctionRegistry& functions);
ExprResult<TypedExprPtr> compile_predicate(std::string_view text, const Scope& scope,
                                           const FunctionRegistry& functions);
/// Wraps in a kCast to `target` when the implicit conversion exists; an error otherwise.
ExprResult<TypedExprPtr> coerce_expression(TypedExprPtr expr, const TypePtr& target);

struct AggregateSignature;  // plan/expr/function_registry.h

/// One aggregate call of an `aggregate:` entry.
struct AggregateCall {
  const AggregateSignature* function = nullptr;
  std::string name;                // upper case: "SUM"
  std::vector<TypedExprPtr> args;  // COUNT(*): empty
  TypedExprPtr filter;             // FILTER (WHERE …); may be null
  bool distinct = false;
  TypePtr type;
  std::string text;    // as it is written, in one spelling (plan/expr/ast_text.h)
  std::string output;  // the column that it belongs to, as the operator says
};

/// An `aggregate:` entry such as `SUM(a) / COUNT(*)`: its calls, and the expression over their results. The scope of
/// `result` is: the key columns, then the calls' results in order (kSpecial CURRENT_WATERMARK allowed).
struct AggregateExpression {
  std::vector<AggregateCall> calls;
  TypedExprPtr result;  // a bare kColumn when the entry is a single call
};
/// `calls_before` = number of calls already collected by earlier entries (they come first in the scope of `result`).
ExprResult<AggregateExpression> compile_aggregate(std::string_view text, const Scope& input, const Scope& keys,
                                                  size_t calls_before, const FunctionRegistry& functions);

/// The columns that an expression reads, ascending, without repetition.
void collect_columns(const TypedExpr& expr, std::vector<uint32_t>& columns);
/// Rewrites column indexes through `map` (old index -> new index), for projections pushed into sources.
TypedExprPtr remap_columns(const TypedExprPtr& expr, const std::vector<uint32_t>& map);

}  // namespace millrace
