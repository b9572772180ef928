// A regular expression in Java's syntax run by RE2 (linear time). What RE2 cannot do the same way (look-around, back
// references, possessive quantifiers, class intersections) is refused; a pattern that is no regular expression at all
// is kInvalid, because Flink answers FALSE or NULL for those.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/status.h"

namespace millrace {

class RegexPattern {
 public:
  enum class State : uint8_t { kValid, kInvalid };

  static Result<std::shared_ptr<const RegexPattern>> compile(std::string_view pattern);
  /// SIMILAR TO: SQL's % and _ with alternation and repetition; matches whole texts.
  static Result<std::shared_ptr<const RegexPattern>> compile_similar(std::string_view pattern, std::string_view escape);
  ~RegexPattern();

  [[nodiscard]] bool valid() const { return state_ == State::kValid; }
  [[nodiscard]] int groups() const;
  /// Finds the first match at or after `from`; groups[0] is the whole match. A group that took no part has null data.
  bool find(std::string_view text, size_t from, std::vector<std::string_view>& groups) const;
  [[nodiscard]] bool contains(std::string_view text) const;
  [[nodiscard]] bool matches_whole(std::string_view text) const;

 private:
  RegexPattern();
  struct Impl;
  std::unique_ptr<Impl> impl_;
  State state_ = State::kInvalid;
};
using RegexPatternPtr = std::shared_ptr<const RegexPattern>;

}  // namespace millrace
