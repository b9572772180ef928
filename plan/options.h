// The field registry: one description per option that validates, documents, completes and defaults it. Connectors,
// formats, operators and the fixed parts of the job file all describe their fields with it.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "core/status.h"

namespace millrace {

/// A place in the job file; line and column from 1, 0 = unknown.
struct Position {
  int line = 0;
  int column = 0;
};

/// A YAML value with positions. Scalars keep their text (after ${…}); `quoted` tells "5" from 5.
struct Located {
  enum class Kind : uint8_t { kNull, kScalar, kList, kMap };
  struct Entry;
  Kind kind = Kind::kNull;
  Position position;
  std::string text;
  bool quoted = false;
  bool interpolated = false;  // ${…} was replaced: columns inside the text do not map to the file
  /// How byte offsets in `text` map to the file, for carets inside expressions.
  enum class Mapping : uint8_t { kNone, kLine, kSingleQuoted, kBlock };
  Mapping mapping = Mapping::kNone;
  Position content;            // of the first byte of `text` (kBlock: of its first line; the lines share the column)
  std::vector<Located> items;  // kList
  std::vector<Entry> entries;  // kMap, in file order

  [[nodiscard]] const Located* find(std::string_view key) const;
  [[nodiscard]] bool is_scalar() const { return kind == Kind::kScalar; }
};
struct Located::Entry {
  std::string key;
  Position key_position;
  Located value;
};

enum class OptionKind : uint8_t {
  kText,
  kInteger,
  kNumber,
  kBoolean,
  kDuration,    // 500ms, 5s, 1h30m, 2h, 1d, -10m; value in ms; a word of `choices` (off, never) is -1
  kBytes,       // 64KB, 512MB, 2GB; value in bytes
  kChoice,      // one of `choices`
  kTextList,    // a list of texts (one text is accepted as a list of one)
  kExpression,  // text kept with its position
  kTree,        // any YAML; the owner reads it
};

// Members have initializers so that descriptors can be written with designators.
struct OptionDescriptor {
  std::string name{};
  OptionKind kind = OptionKind::kText;
  bool required = false;
  std::optional<std::string> default_text{};  // in the form a user would write it
  std::vector<std::string> choices{};
  std::optional<int64_t> min{};
  std::optional<int64_t> max{};
  std::string unit{};
  bool secret = false;  // never printed
  std::string help{};
  std::string example{};
};

struct OptionValue {
  std::variant<std::monostate, std::string, int64_t, double, bool, std::vector<std::string>> value;
  Located located;   // as written; kNull for defaults
  bool set = false;  // written in the file
};

/// Options after validation: every described option is present (set, default, or monostate).
class OptionValues {
 public:
  void set(std::string name, OptionValue value) { values_[std::move(name)] = std::move(value); }
  [[nodiscard]] bool has(std::string_view name) const;                                // set or defaulted
  [[nodiscard]] const OptionValue& get(std::string_view name) const;                  // aborts for an undescribed name
  [[nodiscard]] std::string text(std::string_view name) const;                        // "" when absent
  [[nodiscard]] int64_t integer(std::string_view name, int64_t otherwise = 0) const;  // also durations (ms), bytes
  [[nodiscard]] double number(std::string_view name, double otherwise = 0) const;
  [[nodiscard]] bool boolean(std::string_view name, bool otherwise = false) const;
  [[nodiscard]] std::vector<std::string> texts(std::string_view name) const;
  [[nodiscard]] const Located& located(std::string_view name) const;

 private:
  std::map<std::string, OptionValue, std::less<>> values_;
};

}  // namespace millrace
