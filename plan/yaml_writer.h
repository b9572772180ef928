// A located tree as YAML text that reads back as the same tree.
#pragma once

#include <set>
#include <string>

#include "plan/options.h"

namespace millrace {

/// `substituted` and `original` have the same structure: values in `secret` are taken from `original` (so that `${…}`
/// stays), all others from `substituted` with their dollars doubled.
std::string write_resolved_yaml(const Located& substituted, const Located& original,
                                const std::set<const Located*>& secret);

}  // namespace millrace
