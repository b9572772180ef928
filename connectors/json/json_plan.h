// What the JSON decoder looks for, prepared once per source: a tree of wanted fields over the columns. Objects remember
// the layout of the record before (which key stands where), so that most keys are recognised by one comparison of up to
// 32 bytes, wanted or not. Not shared between threads.
#pragma once

#include <emmintrin.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "connectors/text/column_target.h"
#include "core/status.h"
#include "runtime/spi/format.h"

namespace millrace {

struct JsonField;

/// A key as it stood in an earlier record: from its quote to the first byte of the value, blanks included.
struct JsonLearnedKey {
  alignas(16) char text[32] = {};
  uint32_t size = 0;   // 0: too long, never matches
  int32_t field = -1;  // index in JsonObjectPlan::fields; -1: not wanted

  /// REQUIRES: 32 readable bytes at `p`.
  [[nodiscard]] bool matches(const char* p) const {
    const auto* at = reinterpret_cast<const __m128i*>(p);
    const auto* key = reinterpret_cast<const __m128i*>(text);
    const auto low = static_cast<uint32_t>(_mm_movemask_epi8(_mm_cmpeq_epi8(_mm_loadu_si128(at), _mm_load_si128(key))));
    const auto high =
        static_cast<uint32_t>(_mm_movemask_epi8(_mm_cmpeq_epi8(_mm_loadu_si128(at + 1), _mm_load_si128(key + 1))));
    const uint64_t equal = (static_cast<uint64_t>(high) << 16 | low) | ~0ULL << size;
    return size != 0 && equal == ~0ULL;
  }
};

struct JsonObjectPlan {
  std::vector<std::unique_ptr<JsonField>> fields;
  std::unordered_map<std::string_view, int32_t> by_name;  // views into the fields' names
  std::vector<JsonLearnedKey> learned;                    // by position in the object

  JsonField& field(std::string_view name);  // finds or adds
  [[nodiscard]] int32_t find(std::string_view name) const {
    const auto found = by_name.find(name);
    return found == by_name.end() ? -1 : found->second;
  }
};

/// A value that goes to a column: of a column of the source, a field of a ROW, an element of an ARRAY or MAP.
struct JsonValuePlan {
  ColumnTarget target;
  std::string label;  // the column's name, for messages
  bool nullable = true;
  std::unique_ptr<JsonObjectPlan> row;     // kRow
  std::unique_ptr<JsonValuePlan> key;      // kMap
  std::unique_ptr<JsonValuePlan> element;  // kArray; value of kMap

  static Result<std::unique_ptr<JsonValuePlan>> make(const TypePtr& type, std::string_view time_format,
                                                     std::string label);
  /// Starts a batch: points the targets to fresh columns of `rows` slots.
  void attach(Column& column, uint32_t rows);
  /// Makes room for element `row` of a list.
  void reserve(uint32_t row);
  /// Ends it: cuts the columns to what was written.
  void finish(uint32_t rows);
};

/// A key that somebody wants: the value itself, fields below it, or both.
struct JsonField {
  std::string name;
  std::vector<std::unique_ptr<JsonValuePlan>> values;
  std::unique_ptr<JsonObjectPlan> below;  // paths that go on
  uint64_t generation = 0;                // of the object in which the key was seen last
};

/// `roots` receives one value plan per column, owned by the tree.
Result<std::unique_ptr<JsonObjectPlan>> make_json_plan(const std::vector<DecodeColumn>& columns,
                                                       std::vector<JsonValuePlan*>& roots);

}  // namespace millrace
