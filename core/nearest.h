// Suggestions for misspelt names: the nearest candidate by edit distance (insert, delete, replace, swap of neighbours).
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace millrace {

/// "" when no candidate is near (within a third of the length, at least one edit). Letter case counts half.
std::string nearest_name(std::string_view name, std::span<const std::string_view> candidates);

}  // namespace millrace
