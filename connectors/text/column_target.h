// Writes values given as text into one slot of a column after another: the conversions that JSON strings, JSON numbers,
// CSV fields and test rows share ("JSON in" of the job file). One target belongs to one decoder; no locks.
// A failed conversion leaves the slot undefined; the caller drops the row or writes the slot again.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "connectors/text/time_text.h"
#include "core/status.h"
#include "data/column.h"
#include "data/types.h"

namespace millrace {

enum class Conversion : uint8_t {
  kBool,
  kInt32,
  kInt64,
  kFloat,
  kDouble,
  kDecimal,
  kString,
  kBytes,
  kDate,
  kTime,
  kTimestamp,
  kVariant,
  kArray,
  kMap,
  kRow,
  kNone
};

enum class TextOutcome : uint8_t {
  kOk,
  kMalformed,   // not a text of this type
  kOutOfRange,  // right form, too large for the type
  kFraction,    // a fraction for an integer type
};

enum class TimeForm : uint8_t { kAny, kEpochMillis, kEpochSeconds, kIso8601, kPattern };

class ColumnTarget {
 public:
  /// `time_format` as in DecodeColumn.
  static Result<ColumnTarget> make(const TypePtr& type, std::string_view time_format);

  /// Goes on with another column, sized for `rows` slots.
  void attach(Column& column, uint32_t rows);
  /// Makes room for slot `row` (elements of lists, whose number is not known before).
  void reserve(uint32_t row) {
    if (row >= capacity_) grow(row);
  }

  [[nodiscard]] Conversion conversion() const { return conversion_; }
  [[nodiscard]] const TypePtr& type() const { return type_; }
  [[nodiscard]] Column& column() { return *column_; }

  void set_null(uint32_t row);
  /// A text: the content of a JSON string or a CSV field. For STRING the bytes are referenced, not copied.
  TextOutcome set_text(uint32_t row, std::string_view text, Arena& arena);
  /// A JSON number's literal.
  TextOutcome set_number(uint32_t row, std::string_view number);
  TextOutcome set_bool(uint32_t row, bool value);
  /// REQUIRES: the conversion is kInt32 or kInt64 (or a timestamp that takes milliseconds, see takes_integers()).
  TextOutcome set_integer(uint32_t row, int64_t value) {
    if (value < min_ || value > max_) return TextOutcome::kOutOfRange;
    if (conversion_ == Conversion::kInt32) {
      put<int32_t>(row, static_cast<int32_t>(value));
    } else {
      put<int64_t>(row, value);
    }
    return TextOutcome::kOk;
  }
  /// An integer literal of JSON can go to set_integer() at once.
  [[nodiscard]] bool takes_integers() const { return takes_integers_; }
  void set_string(uint32_t row, StringRef text) { put<StringRef>(row, text); }
  /// A list, map or row is present in this slot.
  void set_present(uint32_t row) {
    if (nulls_ != nullptr) nulls_[row] = 0;
  }

  /// "'abc' is not a BIGINT" and the like.
  [[nodiscard]] std::string explain(TextOutcome outcome, std::string_view text) const;

 private:
  template <class T>
  void put(uint32_t row, T value) {
    reinterpret_cast<T*>(values_)[row] = value;
    if (nulls_ != nullptr) nulls_[row] = 0;
  }
  void grow(uint32_t row);
  TextOutcome set_decimal(uint32_t row, std::string_view text);
  TextOutcome set_time(uint32_t row, std::string_view text, bool number);
  TextOutcome set_millis(uint32_t row, int64_t millis);
  TextOutcome set_base64(uint32_t row, std::string_view text, Arena& arena);

  TypePtr type_;
  Conversion conversion_ = Conversion::kNone;
  TimeForm form_ = TimeForm::kAny;
  bool takes_integers_ = false;
  int64_t min_ = INT64_MIN;
  int64_t max_ = INT64_MAX;
  std::vector<TimePattern> pattern_;  // one or none
  Column* column_ = nullptr;
  char* values_ = nullptr;
  uint8_t* nulls_ = nullptr;
  uint32_t capacity_ = 0;
};

/// A decimal integer such as "12", "-3", "1.0" or "2e3": exact, never through double.
TextOutcome integer_from_text(std::string_view text, int64_t& out);

}  // namespace millrace
