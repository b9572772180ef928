// A compiled LIKE pattern: % any characters, _ one character. Linear in text times pattern; immutable, any thread.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/status.h"

namespace millrace {

class LikePattern {
 public:
  /// `escape` is empty or one character, which may stand before % _ and itself only.
  static Result<LikePattern> compile(std::string_view pattern, std::string_view escape);
  [[nodiscard]] bool matches(std::string_view text) const;

 private:
  enum class Shape : uint8_t { kExact, kPrefix, kSuffix, kContains, kGeneral };
  struct Item {
    enum class Kind : uint8_t { kText, kOne, kAny } kind;
    std::string text;
  };

  std::vector<Item> items_;
  Shape shape_ = Shape::kGeneral;
};

}  // namespace millrace
