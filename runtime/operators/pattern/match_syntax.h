// Reads `match:` and turns it into the program that the matcher follows. Pure; no thread.
#pragma once

#include <string>
#include <vector>

#include "core/status.h"
#include "runtime/operators/pattern/config.h"

namespace millrace {

struct MatchSyntax {
  std::vector<PatternVariable> variables;  // in the order in which they are first named
  std::vector<PatternStep> program;
  uint32_t begin = 0;
};

/// Grammar: alternatives `a | b` of rows of items; an item is a variable or a group `( )`, perhaps with a quantifier
/// `*`, `+`, `?`, `{n}`, `{n,}`, `{,m}`, `{n,m}`, perhaps with a `?` behind it. Errors have a text for the user.
Result<MatchSyntax> read_match_syntax(const std::string& text);

}  // namespace millrace
