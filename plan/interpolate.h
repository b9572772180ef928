// `${VAR}`, `${VAR:-default}`, `${VAR:?message}`, `${params.x}` and `$$` inside scalar values of a tree that is already
// parsed: a value can never change the structure of the file. `$name` stays as it is (a typed parameter in
// expressions).
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>

#include "plan/diagnostic.h"
#include "plan/options.h"

namespace millrace {

struct Substitutions {
  std::function<std::optional<std::string>(const std::string&)> environment;  // may be empty
  std::map<std::string, std::string> params;                                  // text forms
  bool params_known = true;  // false while the params themselves are read
};

/// Replaces in all scalars below `tree`; keys stay. Undefined variables are errors, values are never part of a message.
void interpolate(Located& tree, const Substitutions& substitutions, Diagnostics& diagnostics);

/// The text that interpolate() turns back into `text`: every `$` doubled.
std::string escape_dollars(std::string_view text);

}  // namespace millrace
