#include "core/nearest.h"

#include <algorithm>
#include <vector>

namespace millrace {

namespace {

char lower_ascii(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

/// Damerau-Levenshtein distance in half edits: two letters that differ only in case cost one half.
size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<size_t> before(b.size() + 1);
  std::vector<size_t> previous(b.size() + 1);
  std::vector<size_t> current(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j) previous[j] = 2 * j;
  for (size_t i = 1; i <= a.size(); ++i) {
    current[0] = 2 * i;
    for (size_t j = 1; j <= b.size(); ++j) {
      char x = a[i - 1];
      char y = b[j - 1];
      size_t replace = x == y ? 0 : (lower_ascii(x) == lower_ascii(y) ? 1 : 2);
      current[j] = std::min({previous[j] + 2, current[j - 1] + 2, previous[j - 1] + replace});
      if (i > 1 && j > 1 && x == b[j - 2] && a[i - 2] == y) current[j] = std::min(current[j], before[j - 2] + 2);
    }
    std::swap(before, previous);
    std::swap(previous, current);
  }
  return previous[b.size()];
}

}  // namespace

std::string nearest_name(std::string_view name, std::span<const std::string_view> candidates) {
  constexpr size_t kLengthMax = 128;
  if (name.size() > kLengthMax) return {};
  size_t best_distance = std::max<size_t>(2, 2 * (name.size() / 3)) + 1;
  std::string_view best;
  for (std::string_view candidate : candidates) {
    if (candidate.size() > kLengthMax) continue;
    bool same_letters =
        candidate.size() == name.size() && std::equal(name.begin(), name.end(), candidate.begin(),
                                                      [](char x, char y) { return lower_ascii(x) == lower_ascii(y); });
    size_t distance = same_letters ? 0 : edit_distance(name, candidate);
    if (distance < best_distance) {
      best_distance = distance;
      best = candidate;
    }
  }
  return std::string(best);
}

}  // namespace millrace
