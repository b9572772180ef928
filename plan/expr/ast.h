// The untyped tree of an expression, as the parser leaves it. Operators and special syntax are calls with names that no
// user can write as a function ("+", "IS NULL", "FLOOR TO"), so the checker has few kinds to know.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "plan/expr/expression.h"

namespace millrace {

enum class AstKind : uint8_t {
  kLiteral,    // literal, type
  kName,       // path: column, qualifier.column, column.field…
  kParameter,  // $name
  kCall,       // name (upper case), args; distinct, filter, star
  kCase,       // args: operand or null, when, then, …, else or null
  kCast,       // args[0], type, try_cast
  kField,      // args[0], name
};

struct Ast {
  AstKind kind = AstKind::kLiteral;
  uint32_t begin = 0;
  uint32_t end = 0;
  uint32_t depth = 1;  // of the tree below; bounded, so that recursion over it is safe
  std::string name;
  std::vector<std::string> path;
  std::vector<AstPtr> args;
  Literal literal;
  TypePtr type;  // kLiteral, kCast; of JSON_VALUE its RETURNING type
  bool distinct = false;
  bool star = false;  // COUNT(*)
  bool try_cast = false;
  AstPtr filter;
};

inline constexpr uint32_t kExpressionDepthMax = 400;

}  // namespace millrace
