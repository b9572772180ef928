// Compares the rows a test expects with the rows that came: as a multiset over the columns the test names, or in order,
// or with all columns. Numbers compare by value, DECIMAL texts with numbers too.
#pragma once

#include <string>
#include <vector>

#include "plan/options.h"

namespace millrace {

struct ExpectationRules {
  bool ordered = false;
  bool exact = false;     // a row with further columns does not match
  bool updating = false;  // lines carry `op`
};

/// Empty when the rows fit; else a text that shows what is missing and what was not expected.
std::string compare_rows(const Located& expected, const std::vector<std::string>& lines, const ExpectationRules& rules);

/// Applies +I, -U, +U, -D in order: the rows that remain, without `op`.
std::vector<std::string> end_state(const std::vector<std::string>& changelog);

/// A YAML value as JSON text: unquoted numbers, true, false and null as such, everything else as a string.
std::string located_to_json(const Located& value);

}  // namespace millrace
