// A column's generator: the text behind the type in a datagen source, such as SEQUENCE(1, 1000), and how it fills rows.
// Every value is a function of seed, column and row number alone (NOW apart), so that a restored source continues
// exactly and any split of the rows over subtasks gives the same rows. Not shared between threads.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "connectors/text/column_target.h"
#include "core/status.h"
#include "data/column.h"
#include "data/types.h"

namespace millrace {

/// [ 'text' ] NAME [ (arguments) ] [ 'text' ] [ NULLS(share) ] as parsed.
struct GeneratorSpec {
  enum class Kind : uint8_t {
    kSequence,  // SEQUENCE(first [, last [, step]]): row i has first + i * step; the source ends behind `last`
    kRandom,    // RANDOM(least, greatest), both included
    kSkewed,    // SKEWED(least, greatest): nine of ten values from the first tenth of the range
    kChoice,    // CHOICE(a, b, 'c')
    kNow,       // NOW: wall clock in milliseconds
    kLength,    // LENGTH(n): random letters and digits
  };
  Kind kind = Kind::kRandom;
  int128 first = 0;  // in units of the type: milliseconds, days, the last digit of a DECIMAL
  int128 last = 0;
  int128 step = 1;
  bool endless = true;  // sequences without a last value
  double low = 0;       // FLOAT and DOUBLE
  double high = 1;
  std::vector<std::string> choices;
  uint32_t length = 8;
  std::string prefix;  // STRING columns
  std::string suffix;
  double null_share = 0;

  /// Rows until a sequence ends.
  [[nodiscard]] std::optional<uint64_t> rows() const;
};

/// The empty text means: NOW for timestamps, LENGTH(8) for STRING and BYTES, the type's whole range for numbers.
Result<GeneratorSpec> parse_generator(std::string_view text, const DataType& type);

class ColumnGenerator {
 public:
  static Result<ColumnGenerator> make(const TypePtr& type, std::string_view text, uint64_t seed, uint32_t column);

  /// Values of the rows first, first + stride, … (`count` of them).
  ColumnPtr fill(uint64_t first, uint64_t stride, uint32_t count, int64_t now_ms, Arena& arena);
  /// Keeps the texts of CHOICE alive; null when there are none.
  [[nodiscard]] const std::shared_ptr<Arena>& choices() const { return choice_bytes_; }

 private:
  void set_value(Column& column, uint32_t row, uint64_t number, uint64_t random, int64_t now_ms, Arena& arena);
  void set_integer(Column& column, uint32_t row, int128 value, Arena& arena);
  [[nodiscard]] int128 integer_for(uint64_t number, uint64_t random, int64_t now_ms) const;
  void set_letters(Column& column, uint32_t row, uint64_t random, Arena& arena) const;

  TypePtr type_;
  GeneratorSpec spec_;
  uint64_t seed_ = 0;
  ColumnTarget target_;  // for CHOICE
  std::shared_ptr<Arena> choice_bytes_;
  std::vector<StringRef> choice_texts_;
};

/// A well mixed number for a position (splitmix64's finaliser).
uint64_t mix64(uint64_t value);

}  // namespace millrace
