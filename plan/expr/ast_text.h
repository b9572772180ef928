// The text of an expression with one spelling: `SUM( amount )` and `sum(amount)` become the same. It names what a state
// keeps, so that the same call is found again in a changed job file. Pure; any thread.
#pragma once

#include <string>

#include "plan/expr/ast.h"

namespace millrace {

std::string ast_text(const Ast& ast);

}  // namespace millrace
