#include "connectors/json/json_reader.h"

#include <algorithm>
#include <string>
#include <unordered_map>
#include <vector>

namespace millrace {

struct JsonMapEntries {
  std::vector<std::pair<std::string_view, const char*>> items;  // key, where the value starts
};

namespace {

constexpr size_t kLearnedKeysMax = 128;
constexpr size_t kIntegerDigitsMax = 18;  // always fits int64

std::string_view between(const char* from, const char* to) { return {from, static_cast<size_t>(to - from)}; }

}  // namespace

bool JsonReader::read(std::string_view record, uint32_t row, Arena& arena) {
  cursor_ = JsonCursor{record.data(), record.data() + record.size(), nullptr};
  arena_ = &arena;
  failed_ = false;
  failed_field_ = nullptr;
  cursor_.skip_blanks();
  bool ok = cursor_.peek() == '{' ? read_object(plan_, row, 1) : cursor_.fail("expected an object");
  if (ok) {
    cursor_.skip_blanks();
    if (cursor_.at != cursor_.end) ok = cursor_.fail("there is text behind the object");
  }
  if (!ok) {
    message_ = "malformed JSON at byte " +
               std::to_string(std::min<size_t>(between(record.data(), cursor_.at).size(), record.size())) + ": " +
               cursor_.problem;
    return false;
  }
  return !failed_;
}

/// REQUIRES: `{` stands at the cursor.
bool JsonReader::read_object(JsonObjectPlan& plan, uint32_t row, int depth) {
  const uint64_t generation = ++generation_;
  ++cursor_.at;
  cursor_.skip_blanks();
  if (cursor_.peek() == '}') {
    ++cursor_.at;
  } else {
    for (size_t position = 0;; ++position) {
      int32_t index = -1;
      if (position < plan.learned.size() && plan.learned[position].matches(cursor_.at)) [[likely]] {
        cursor_.at += plan.learned[position].size;
        index = plan.learned[position].field;
        // The blanks behind the colon are part of what was learned, but this record may have others.
        if (cursor_.peek() <= ' ') [[unlikely]]
          cursor_.skip_blanks();
      } else if (!slow_key(plan, position, index)) {
        return false;
      }
      if (index < 0) {
        if (!skip_value(cursor_, depth)) return false;
      } else {
        JsonField& field = *plan.fields[static_cast<size_t>(index)];
        if (field.generation == generation && failed_field_ == &field) failed_ = false, failed_field_ = nullptr;
        field.generation = generation;
        if (!read_field(field, row, depth)) return false;
      }
      char c = cursor_.peek();
      if (c != ',' && c != '}') [[unlikely]] {
        cursor_.skip_blanks();
        c = cursor_.peek();
        if (c != ',' && c != '}') return cursor_.fail("expected , or } in an object");
      }
      ++cursor_.at;
      if (c == '}') break;
      if (cursor_.peek() != '"') cursor_.skip_blanks();
    }
  }
  for (auto& field : plan.fields) {
    if (field->generation != generation) [[unlikely]]
      set_missing(*field, row);
  }
  return true;
}

/// Reads a key that the learned layout did not foresee, up to its value, and learns it.
bool JsonReader::slow_key(JsonObjectPlan& plan, size_t& position, int32_t& field) {
  if (position + 1 < plan.learned.size() && plan.learned[position + 1].matches(cursor_.at)) {
    ++position;  // one optional key is absent
    cursor_.at += plan.learned[position].size;
    field = plan.learned[position].field;
    cursor_.skip_blanks();
    return cursor_.at <= cursor_.end || cursor_.fail("the text ends behind a field name");
  }
  const char* start = cursor_.at;
  if (cursor_.peek() != '"') return cursor_.fail("expected a field name");
  ++cursor_.at;
  JsonString key;
  if (!scan_string(cursor_, key)) return false;
  cursor_.skip_blanks();
  if (cursor_.peek() != ':') return cursor_.fail("expected : behind a field name");
  ++cursor_.at;
  cursor_.skip_blanks();
  if (key.escaped) {
    if (!unescape_json(key.raw, unescaped_)) return cursor_.fail("invalid surrogate in a field name");
    field = plan.find(unescaped_);
  } else {
    field = plan.find(key.raw);
  }
  if (position >= kLearnedKeysMax) return true;
  if (position >= plan.learned.size()) plan.learned.resize(position + 1);
  JsonLearnedKey& learned = plan.learned[position];
  const std::string_view text = between(start, cursor_.at);
  learned.size = text.size() <= sizeof learned.text ? static_cast<uint32_t>(text.size()) : 0;
  learned.field = field;
  std::copy_n(text.data(), learned.size, learned.text);
  return true;
}

bool JsonReader::read_field(JsonField& field, uint32_t row, int depth) {
  field_ = &field;
  if (field.values.size() == 1 && !field.below) [[likely]]
    return read_value(*field.values[0], row, depth);
  const char* start = cursor_.at;
  if (!skip_value(cursor_, depth)) return false;
  const char* stop = cursor_.at;
  for (auto& value : field.values) {
    cursor_.at = start;
    field_ = &field;
    if (!read_value(*value, row, depth)) return false;
  }
  if (field.below) {
    cursor_.at = start;
    if (*start == '{') {
      if (!read_object(*field.below, row, depth + 1)) return false;
    } else {
      for (auto& child : field.below->fields) set_missing(*child, row);
    }
  }
  cursor_.at = stop;
  return true;
}

bool JsonReader::read_value(JsonValuePlan& plan, uint32_t row, int depth) {
  switch (cursor_.peek()) {
    case '"':
      return read_string(plan, row);
    case '{':
    case '[':
      return read_container(plan, row, depth);
    case 't':
      return scan_word(cursor_, "true") && read_bool(plan, row, true);
    case 'f':
      return scan_word(cursor_, "false") && read_bool(plan, row, false);
    case 'n':
      if (!scan_word(cursor_, "null")) return false;
      set_null(plan, row);
      return true;
    default:
      return read_number(plan, row);
  }
}

/// The string's content; unescaped into the arena where needed.
bool JsonReader::text_of(const JsonString& string, std::string_view& text) {
  text = string.raw;
  if (!string.escaped) [[likely]]
    return true;
  if (!unescape_json(string.raw, unescaped_)) return cursor_.fail("a surrogate stands alone in a string");
  text = arena_->copy(unescaped_).view();
  return true;
}

bool JsonReader::read_string(JsonValuePlan& plan, uint32_t row) {
  const char* start = cursor_.at;
  ++cursor_.at;
  JsonString string;
  if (!scan_string(cursor_, string)) return false;
  if (plan.target.conversion() == Conversion::kVariant) {
    plan.target.set_string(row, StringRef(between(start, cursor_.at)));
    return true;
  }
  std::string_view text;
  if (!text_of(string, text)) return false;
  if (plan.target.conversion() == Conversion::kString) {
    plan.target.set_string(row, StringRef(text));
  } else {
    check(plan.target.set_text(row, text, *arena_), plan, row, text);
  }
  return true;
}

bool JsonReader::read_number(JsonValuePlan& plan, uint32_t row) {
  if (plan.target.takes_integers()) [[likely]] {
    const char* p = cursor_.at;
    const bool negative = *p == '-';
    p += negative ? 1 : 0;
    const char* digits = p;
    int64_t value = 0;
    while (*p >= '0' && *p <= '9' && static_cast<size_t>(p - digits) <= kIntegerDigitsMax - 1)
      value = value * 10 + (*p++ - '0');
    const auto count = static_cast<size_t>(p - digits);
    const bool ends = p < cursor_.end && *p != '.' && *p != 'e' && *p != 'E' && (*p < '0' || *p > '9');
    if (count > 0 && ends && (*digits != '0' || count == 1)) [[likely]] {
      const char* start = cursor_.at;
      cursor_.at = p;
      const TextOutcome outcome = plan.target.set_integer(row, negative ? -value : value);
      if (outcome != TextOutcome::kOk) [[unlikely]]
        check(outcome, plan, row, between(start, p));
      return true;
    }
  }
  const char c = cursor_.peek();
  if (c != '-' && (c < '0' || c > '9')) return cursor_.fail("expected a value");
  std::string_view text;
  if (!scan_number(cursor_, text)) return false;
  if (plan.target.conversion() == Conversion::kVariant) {
    plan.target.set_string(row, StringRef(text));
  } else {
    check(plan.target.set_number(row, text), plan, row, text);
  }
  return true;
}

bool JsonReader::read_bool(JsonValuePlan& plan, uint32_t row, bool value) {
  const Conversion conversion = plan.target.conversion();
  const std::string_view text = value ? "true" : "false";
  if (conversion == Conversion::kString || conversion == Conversion::kVariant) {
    plan.target.set_string(row, StringRef(text));  // static storage
  } else {
    check(plan.target.set_bool(row, value), plan, row, text);
  }
  return true;
}

bool JsonReader::read_container(JsonValuePlan& plan, uint32_t row, int depth) {
  if (depth >= kJsonDepthMax) return cursor_.fail("nested too deeply");
  const bool object = cursor_.peek() == '{';
  const Conversion conversion = plan.target.conversion();
  if (object && conversion == Conversion::kRow) {
    plan.target.set_present(row);
    return read_object(*plan.row, row, depth + 1);
  }
  if (object && conversion == Conversion::kMap) return read_map(plan, row, depth + 1);
  if (!object && conversion == Conversion::kArray) return read_array(plan, row, depth + 1);
  const char* start = cursor_.at;
  if (!skip_value(cursor_, depth)) return false;
  const std::string_view text = between(start, cursor_.at);
  if (conversion == Conversion::kString || conversion == Conversion::kVariant) {
    plan.target.set_string(row, StringRef(text));
  } else {
    check(TextOutcome::kMalformed, plan, row, text);
  }
  return true;
}

bool JsonReader::read_array(JsonValuePlan& plan, uint32_t row, int depth) {
  plan.target.set_present(row);
  Column& column = plan.target.column();
  uint32_t end = column.offsets()[row];
  ++cursor_.at;
  cursor_.skip_blanks();
  if (cursor_.peek() == ']') {
    ++cursor_.at;
    column.offsets()[row + 1] = end;
    return true;
  }
  for (;;) {
    plan.element->reserve(end);
    if (!read_value(*plan.element, end, depth)) return false;
    ++end;
    cursor_.skip_blanks();
    const char c = cursor_.peek();
    if (c != ',' && c != ']') return cursor_.fail("expected , or ] in an array");
    ++cursor_.at;
    if (c == ']') break;
    cursor_.skip_blanks();
  }
  column.offsets()[row + 1] = end;
  return true;
}

/// Keys and the places of their values; the last of duplicate keys wins.
bool JsonReader::collect_entries(JsonMapEntries& entries, int depth) {
  std::unordered_map<std::string_view, size_t> seen;
  ++cursor_.at;
  cursor_.skip_blanks();
  if (cursor_.peek() == '}') {
    ++cursor_.at;
    return true;
  }
  for (;;) {
    if (cursor_.peek() != '"') return cursor_.fail("expected a field name");
    ++cursor_.at;
    JsonString string;
    std::string_view key;
    if (!scan_string(cursor_, string) || !text_of(string, key)) return false;
    cursor_.skip_blanks();
    if (cursor_.peek() != ':') return cursor_.fail("expected : behind a field name");
    ++cursor_.at;
    cursor_.skip_blanks();
    const auto [found, added] = seen.emplace(key, entries.items.size());
    if (added) {
      entries.items.emplace_back(key, cursor_.at);
    } else {
      entries.items[found->second].second = cursor_.at;
    }
    if (!skip_value(cursor_, depth)) return false;
    cursor_.skip_blanks();
    const char c = cursor_.peek();
    if (c != ',' && c != '}') return cursor_.fail("expected , or } in an object");
    ++cursor_.at;
    if (c == '}') return true;
    cursor_.skip_blanks();
  }
}

bool JsonReader::read_map(JsonValuePlan& plan, uint32_t row, int depth) {
  plan.target.set_present(row);
  JsonMapEntries entries;
  if (!collect_entries(entries, depth)) return false;
  const char* stop = cursor_.at;
  Column& column = plan.target.column();
  uint32_t end = column.offsets()[row];
  for (const auto& [key, value] : entries.items) {
    plan.key->reserve(end);
    plan.element->reserve(end);
    check(plan.key->target.set_text(end, key, *arena_), *plan.key, end, key);
    cursor_.at = value;
    if (!read_value(*plan.element, end, depth)) return false;
    ++end;
  }
  cursor_.at = stop;
  column.offsets()[row + 1] = end;
  return true;
}

void JsonReader::set_null(JsonValuePlan& plan, uint32_t row) {
  if (!plan.nullable) reject(plan, "NULL, but the column is NOT NULL");
  set_null_slots(plan, row);
}

/// NULL in the slot and in everything that hangs on it.
void JsonReader::set_null_slots(JsonValuePlan& plan, uint32_t row) {
  plan.target.set_null(row);
  if (plan.element) {
    std::vector<uint32_t>& offsets = plan.target.column().offsets();
    offsets[row + 1] = offsets[row];
  }
  if (plan.row) {
    for (auto& field : plan.row->fields) set_null_slots(*field->values[0], row);
  }
}

void JsonReader::set_missing(JsonField& field, uint32_t row) {
  field_ = &field;
  for (auto& value : field.values) {
    if (!value->nullable) reject(*value, "missing, but the column is NOT NULL");
    set_null_slots(*value, row);
  }
  if (field.below) {
    for (auto& child : field.below->fields) set_missing(*child, row);
  }
}

void JsonReader::check(TextOutcome outcome, JsonValuePlan& plan, uint32_t row, std::string_view text) {
  if (outcome == TextOutcome::kOk) [[likely]]
    return;
  reject(plan, plan.target.explain(outcome, text));
  set_null_slots(plan, row);  // list offsets must stay in order for the elements that follow
}

void JsonReader::reject(const JsonValuePlan& plan, std::string message) {
  if (failed_) return;
  failed_ = true;
  failed_field_ = field_;
  message_ = "column `" + plan.label + "`: " + std::move(message);
}

}  // namespace millrace
