// Reads one JSON record into one row of the columns behind a JsonObjectPlan, in one validating pass.
// The last of duplicate keys wins; a value that does not fit its column is remembered as the row's failure while the
// pass goes on, so that a later duplicate can still repair it and malformed text is always noticed.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "connectors/json/json_plan.h"
#include "connectors/json/json_scanner.h"
#include "data/column.h"

namespace millrace {

class JsonReader {
 public:
  explicit JsonReader(JsonObjectPlan& plan) : plan_(plan) {}

  /// Fills row `row`. False: a bad record, see message(). Bytes of unescaped strings go to `arena`.
  bool read(std::string_view record, uint32_t row, Arena& arena);
  [[nodiscard]] const std::string& message() const { return message_; }

 private:
  bool read_object(JsonObjectPlan& plan, uint32_t row, int depth);
  bool slow_key(JsonObjectPlan& plan, size_t& position, int32_t& field);
  bool read_field(JsonField& field, uint32_t row, int depth);
  bool read_value(JsonValuePlan& plan, uint32_t row, int depth);
  bool read_string(JsonValuePlan& plan, uint32_t row);
  bool read_number(JsonValuePlan& plan, uint32_t row);
  bool read_bool(JsonValuePlan& plan, uint32_t row, bool value);
  bool read_container(JsonValuePlan& plan, uint32_t row, int depth);
  bool read_array(JsonValuePlan& plan, uint32_t row, int depth);
  bool read_map(JsonValuePlan& plan, uint32_t row, int depth);
  bool collect_entries(struct JsonMapEntries& entries, int depth);
  void set_null(JsonValuePlan& plan, uint32_t row);
  void set_null_slots(JsonValuePlan& plan, uint32_t row);
  void set_missing(JsonField& field, uint32_t row);
  void check(TextOutcome outcome, JsonValuePlan& plan, uint32_t row, std::string_view text);
  void reject(const JsonValuePlan& plan, std::string message);
  bool text_of(const JsonString& string, std::string_view& text);

  JsonObjectPlan& plan_;
  JsonCursor cursor_;
  Arena* arena_ = nullptr;
  uint64_t generation_ = 0;
  std::string message_;
  bool failed_ = false;                      // a value does not fit
  const JsonField* field_ = nullptr;         // of the value being read
  const JsonField* failed_field_ = nullptr;  // that a duplicate of this key may repair
  std::string unescaped_;
};

}  // namespace millrace
