// parse_type: a small recursive descent reader of SQL type texts, independent of the expression parser so that
// schemas, messages and state files can be read without it.
#include <fmt/format.h>

#include <array>
#include <cctype>

#include "core/nearest.h"
#include "data/types.h"

namespace millrace {
namespace {

constexpr int kTypeDepthMax = 64;
constexpr int kPrecisionMax = 9;

constexpr std::array<std::string_view, 20> kTypeNames = {
    "BOOLEAN", "TINYINT", "SMALLINT", "INT",  "BIGINT",    "FLOAT",         "DOUBLE",   "DECIMAL", "CHAR", "VARCHAR",
    "STRING",  "BYTES",   "DATE",     "TIME", "TIMESTAMP", "TIMESTAMP_LTZ", "INTERVAL", "ARRAY",   "MAP",  "ROW"};

bool is_word_char(char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_' || c == '$'; }

std::string upper_ascii(std::string_view text) {
  std::string upper(text);
  for (char& c : upper) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  return upper;
}

class TypeParser {
 public:
  explicit TypeParser(std::string_view text) : text_(text) {}

  Result<TypePtr> type(int depth) {
    if (depth > kTypeDepthMax) return fail("types are nested too deeply");
    const std::string name = upper_ascii(peek_word());
    if (name.empty()) return fail("a type is expected");
    take_word();
    MR_ASSIGN(TypePtr base, named(name, depth));
    bool nullable = true;
    if (take_words("NOT", "NULL")) {
      nullable = false;
    } else {
      take_keyword("NULL");
    }
    return with_nullable(base, nullable);
  }

  /// Where the last token ended: blanks after it do not belong to the type.
  [[nodiscard]] size_t end() const { return end_; }
  [[nodiscard]] bool at_end() {
    skip_blanks();
    return position_ == text_.size();
  }
  std::unexpected<Error> fail(std::string why) {
    return make_error(ErrorCode::kUnknownType, fmt::format("{} (at position {} of `{}`)", why, position_ + 1, text_));
  }

 private:
  Result<TypePtr> named(const std::string& name, int depth) {
    if (name == "BOOLEAN" || name == "BOOL") return make_type(TypeKind::kBoolean);
    if (name == "TINYINT") return make_type(TypeKind::kTinyInt);
    if (name == "SMALLINT") return make_type(TypeKind::kSmallInt);
    if (name == "INT" || name == "INTEGER") return make_type(TypeKind::kInt);
    if (name == "BIGINT") return make_type(TypeKind::kBigInt);
    if (name == "FLOAT" || name == "REAL") return make_type(TypeKind::kFloat);
    if (name == "DOUBLE") {
      take_keyword("PRECISION");
      return make_type(TypeKind::kDouble);
    }
    if (name == "DECIMAL" || name == "NUMERIC" || name == "DEC") return decimal();
    if (name == "CHAR" || name == "CHARACTER") return text_type(TypeKind::kChar);
    if (name == "VARCHAR") return text_type(TypeKind::kVarchar);
    if (name == "STRING" || name == "TEXT") return make_string();
    if (name == "BYTES") return make_type(TypeKind::kBytes);
    if (name == "BINARY" || name == "VARBINARY") {  // lengths of byte strings are not kept
      MR_TRY(text_type(TypeKind::kChar));
      return make_type(TypeKind::kBytes);
    }
    if (name == "DATE") return make_type(TypeKind::kDate);
    if (name == "TIME") return temporal(TypeKind::kTime, 0);
    if (name == "TIMESTAMP") return temporal(TypeKind::kTimestamp, 3);
    if (name == "TIMESTAMP_LTZ") return temporal(TypeKind::kTimestampLtz, 3);
    if (name == "INTERVAL") return interval();
    if (name == "ARRAY") return array(depth);
    if (name == "MAP") return map(depth);
    if (name == "ROW") return row(depth);
    if (name == "VARIANT") return make_type(TypeKind::kVariant);
    if (name == "NULL") return make_type(TypeKind::kNull);
    return unknown(name);
  }

  std::unexpected<Error> unknown(const std::string& name) {
    std::string help;
    if (name == "JSON") {
      help = "use STRING";
    } else if (name == "LONG" || name == "INT64") {
      help = "use BIGINT";
    } else if (const std::string near = nearest_name(name, kTypeNames); !near.empty()) {
      help = "did you mean " + near + "?";
    }
    return make_error(ErrorCode::kUnknownType, "unknown type `" + name + "`", help);
  }

  Result<TypePtr> decimal() {
    int precision = 10;
    int scale = 0;
    if (take('(')) {
      MR_ASSIGN(precision, number());
      if (take(',')) {
        MR_ASSIGN(scale, number());
      }
      if (!take(')')) return fail("`)` is expected; inside {…} a type with a comma needs quotes");
    }
    if (precision < 1 || precision > kDecimalPrecisionMax) return fail("the precision of DECIMAL is 1 to 38");
    if (scale > precision) return fail("the scale of DECIMAL is 0 to its precision");
    return make_decimal(precision, scale);
  }

  Result<TypePtr> text_type(TypeKind kind) {
    int length = 1;
    if (take('(')) {
      MR_ASSIGN(length, number());
      if (!take(')')) return fail("`)` is expected");
    }
    if (length < 1) return fail("the length must be at least 1");
    return make_text(kind, length);
  }

  Result<TypePtr> temporal(TypeKind kind, int precision) {
    if (take('(')) {
      MR_ASSIGN(precision, number());
      if (!take(')')) return fail("`)` is expected");
    }
    if (precision > kPrecisionMax) return fail("the precision is 0 to 9");
    if (take_words("WITHOUT", "TIME", "ZONE")) return make_temporal(kind, precision);
    if (take_words("WITH", "LOCAL", "TIME", "ZONE")) {
      if (kind == TypeKind::kTime) return fail("TIME has no time zone");
      return make_temporal(TypeKind::kTimestampLtz, precision);
    }
    if (take_words("WITH", "TIME", "ZONE")) return fail("TIMESTAMP WITH TIME ZONE is not supported, use TIMESTAMP_LTZ");
    return make_temporal(kind, precision);
  }

  /// INTERVAL YEAR | MONTH | YEAR TO MONTH | DAY | HOUR | MINUTE | SECOND [TO ...], each with an optional precision.
  Result<TypePtr> interval() {
    MR_ASSIGN(const bool months, interval_unit());
    if (take_keyword("TO")) {
      MR_ASSIGN(const bool months_to, interval_unit());
      if (months != months_to) return fail("an INTERVAL is either of years and months or of days and times");
    }
    return make_temporal(months ? TypeKind::kIntervalMonths : TypeKind::kIntervalMillis, months ? 0 : 3);
  }

  Result<bool> interval_unit() {
    const std::string unit = upper_ascii(peek_word());
    const bool months = unit == "YEAR" || unit == "MONTH";
    if (!months && unit != "DAY" && unit != "HOUR" && unit != "MINUTE" && unit != "SECOND") {
      return fail("YEAR, MONTH, DAY, HOUR, MINUTE or SECOND is expected after INTERVAL");
    }
    take_word();
    if (take('(')) {
      MR_TRY(number());
      if (take(',')) MR_TRY(number());
      if (!take(')')) return fail("`)` is expected");
    }
    return months;
  }

  Result<TypePtr> array(int depth) {
    if (!take('<')) return fail("ARRAY needs its element type: ARRAY<INT>");
    MR_ASSIGN(TypePtr element, type(depth + 1));
    if (!take('>')) return fail("`>` is expected");
    return make_array(std::move(element));
  }

  Result<TypePtr> map(int depth) {
    if (!take('<')) return fail("MAP needs its types: MAP<STRING, INT>");
    MR_ASSIGN(TypePtr key, type(depth + 1));
    if (!take(',')) return fail("`,` is expected between the key and value types of MAP");
    MR_ASSIGN(TypePtr value, type(depth + 1));
    if (!take('>')) return fail("`>` is expected");
    return make_map(std::move(key), std::move(value));
  }

  Result<TypePtr> row(int depth) {
    const bool round = take('(');
    if (!round && !take('<')) return fail("ROW needs its fields: ROW<a INT, b STRING>");
    const char close = round ? ')' : '>';
    std::vector<std::string> names;
    std::vector<TypePtr> types;
    while (!take(close)) {
      if (!names.empty() && !take(',')) return fail(fmt::format("`,` or `{}` is expected", close));
      MR_ASSIGN(std::string name, field_name());
      for (const std::string& other : names) {
        if (other == name) return fail("field `" + name + "` stands twice in the ROW");
      }
      MR_ASSIGN(TypePtr field, type(depth + 1));
      names.push_back(std::move(name));
      types.push_back(std::move(field));
    }
    if (names.empty()) return fail("ROW needs at least one field");
    return make_row(std::move(names), std::move(types));
  }

  Result<std::string> field_name() {
    if (!take('`')) {
      std::string name(peek_word());
      if (name.empty()) return fail("a field name is expected");
      take_word();
      return name;
    }
    std::string name;
    for (; position_ < text_.size(); ++position_) {
      if (text_[position_] == '`') {
        if (position_ + 1 >= text_.size() || text_[position_ + 1] != '`') break;
        ++position_;
      }
      name += text_[position_];
    }
    if (!take('`')) return fail("the name's closing ` is missing");
    return name;
  }

  Result<int> number() {
    skip_blanks();
    int64_t value = 0;
    const size_t start = position_;
    for (; position_ < text_.size() && text_[position_] >= '0' && text_[position_] <= '9'; ++position_) {
      value = value * 10 + (text_[position_] - '0');
      if (value > kStringLengthMax) return fail("the number is too large");
    }
    if (position_ == start) return fail("a number is expected");
    end_ = position_;
    return static_cast<int>(value);
  }

  void skip_blanks() {
    while (position_ < text_.size() && std::isspace(static_cast<unsigned char>(text_[position_])) != 0) ++position_;
  }
  bool take(char c) {
    skip_blanks();
    if (position_ == text_.size() || text_[position_] != c) return false;
    end_ = ++position_;
    return true;
  }
  std::string_view peek_word() {
    skip_blanks();
    size_t size = 0;
    while (position_ + size < text_.size() && is_word_char(text_[position_ + size])) ++size;
    return text_.substr(position_, size);
  }
  void take_word() {
    position_ += peek_word().size();
    end_ = position_;
  }
  bool take_keyword(std::string_view keyword) {
    if (upper_ascii(peek_word()) != keyword) return false;
    take_word();
    return true;
  }
  /// All of the words or none.
  template <class... Words>
  bool take_words(Words... words) {
    const size_t position = position_;
    const size_t end = end_;
    if ((take_keyword(words) && ...)) return true;
    position_ = position;
    end_ = end;
    return false;
  }

  std::string_view text_;
  size_t position_ = 0;
  size_t end_ = 0;
};

}  // namespace

Result<TypePtr> parse_type(std::string_view text, size_t* consumed) {
  TypeParser parser(text);
  MR_ASSIGN(TypePtr type, parser.type(0));
  if (consumed != nullptr) {
    *consumed = parser.end();
  } else if (!parser.at_end()) {
    return parser.fail("text after the type");
  }
  return type;
}

}  // namespace millrace
