// Reads SQL type texts; recursive descent over a cursor.
#include <algorithm>
#include <cctype>
#include <string>
#include <utility>

#include "data/types.h"

namespace millrace {
namespace {

constexpr int kTypeDepthMax = 32;

class TypeParser {
 public:
  explicit TypeParser(std::string_view text) : text_(text) {}

  Result<TypePtr> type(int depth = 0) {
    if (depth > kTypeDepthMax) return failure("the type is nested too deeply");
    MR_ASSIGN(TypePtr parsed, base(depth));
    if (keyword("NOT")) {
      if (!keyword("NULL")) return failure("NULL is missing behind NOT");
      return with_nullable(parsed, false);
    }
    if (keyword("NULL")) return parsed;
    return parsed;
  }

  size_t position() {
    skip_blanks();
    return at_;
  }

 private:
  void skip_blanks() {
    while (at_ < text_.size() && std::isspace(static_cast<unsigned char>(text_[at_])) != 0) ++at_;
  }
  std::unexpected<Error> failure(std::string message) {
    std::string help;
    const std::string inner(text_.substr(0, std::min<size_t>(text_.size(), 80)));
    return make_error(ErrorCode::kUnknownType, "`" + inner + "`: " + std::move(message), help);
  }
  /// The next word in upper case, without consuming it.
  std::string peek_word() {
    skip_blanks();
    size_t end = at_;
    while (end < text_.size() && (std::isalnum(static_cast<unsigned char>(text_[end])) != 0 || text_[end] == '_'))
      ++end;
    std::string word(text_.substr(at_, end - at_));
    std::transform(word.begin(), word.end(), word.begin(), [](unsigned char c) { return std::toupper(c); });
    return word;
  }
  bool keyword(std::string_view upper) {
    if (peek_word() != upper) return false;
    at_ += upper.size();
    return true;
  }
  bool symbol(char wanted) {
    skip_blanks();
    if (at_ >= text_.size() || text_[at_] != wanted) return false;
    ++at_;
    return true;
  }
  Result<int> number() {
    skip_blanks();
    int64_t value = 0;
    const size_t begin = at_;
    while (at_ < text_.size() && std::isdigit(static_cast<unsigned char>(text_[at_])) != 0 && value < (1LL << 40)) {
      value = value * 10 + (text_[at_++] - '0');
    }
    if (at_ == begin || value > kStringLengthMax) return failure("a number is expected in the parentheses");
    return static_cast<int>(value);
  }
  /// "(n)" when present.
  Result<int> optional_number(int otherwise) {
    if (!symbol('(')) return otherwise;
    MR_ASSIGN(const int value, number());
    if (!symbol(')')) return failure("`)` is missing");
    return value;
  }

  Result<TypePtr> base(int depth) {
    const std::string word = peek_word();
    if (word.empty()) return failure("a type is expected");
    at_ += word.size();
    static constexpr std::pair<std::string_view, TypeKind> kPlain[] = {
        {"BOOLEAN", TypeKind::kBoolean},   {"BOOL", TypeKind::kBoolean},    {"TINYINT", TypeKind::kTinyInt},
        {"SMALLINT", TypeKind::kSmallInt}, {"INT", TypeKind::kInt},         {"INTEGER", TypeKind::kInt},
        {"BIGINT", TypeKind::kBigInt},     {"FLOAT", TypeKind::kFloat},     {"REAL", TypeKind::kFloat},
        {"DATE", TypeKind::kDate},         {"VARIANT", TypeKind::kVariant}, {"BYTES", TypeKind::kBytes}};
    for (const auto& [name, kind] : kPlain) {
      if (word == name) return make_type(kind);
    }
    if (word == "DOUBLE") {
      keyword("PRECISION");
      return make_type(TypeKind::kDouble);
    }
    if (word == "STRING" || word == "TEXT") return make_string();
    if (word == "CHAR" || word == "VARCHAR") return text(word);
    if (word == "BINARY" || word == "VARBINARY") {
      MR_TRY(optional_number(1));
      return make_type(TypeKind::kBytes);
    }
    if (word == "DECIMAL" || word == "NUMERIC" || word == "DEC") return decimal();
    if (word == "TIME" || word == "TIMESTAMP" || word == "TIMESTAMP_LTZ") return temporal(word);
    if (word == "INTERVAL") return interval();
    if (word == "ARRAY" || word == "MAP" || word == "ROW") return nested(word, depth);
    return failure("unknown type " + word);
  }

  Result<TypePtr> text(const std::string& word) {
    MR_ASSIGN(const int length, optional_number(1));
    if (length < 1) return failure("the length is at least 1");
    return make_text(word == "CHAR" ? TypeKind::kChar : TypeKind::kVarchar, length);
  }

  Result<TypePtr> decimal() {
    int precision = 10;
    int scale = 0;
    if (symbol('(')) {
      MR_ASSIGN(precision, number());
      if (symbol(',')) {
        MR_ASSIGN(scale, number());
      }
      if (!symbol(')')) return failure("`)` is missing; a type with a comma needs quotes inside `{…}`");
    }
    if (precision < 1 || precision > kDecimalPrecisionMax) return failure("the precision of DECIMAL is 1 to 38");
    if (scale > precision) return failure("the scale of DECIMAL is at most its precision");
    return make_decimal(precision, scale);
  }

  Result<TypePtr> temporal(const std::string& word) {
    MR_ASSIGN(const int precision, optional_number(word == "TIME" ? 0 : 3));
    if (precision > 9) return failure("the precision is 0 to 9");
    TypeKind kind = word == "TIME" ? TypeKind::kTime : TypeKind::kTimestamp;
    if (word == "TIMESTAMP_LTZ") kind = TypeKind::kTimestampLtz;
    if (word != "TIMESTAMP_LTZ" && keyword("WITHOUT")) {
      if (!keyword("TIME") || !keyword("ZONE")) return failure("TIME ZONE is missing behind WITHOUT");
    } else if (word == "TIMESTAMP" && keyword("WITH")) {
      if (!keyword("LOCAL") || !keyword("TIME") || !keyword("ZONE")) return failure("only WITH LOCAL TIME ZONE exists");
      kind = TypeKind::kTimestampLtz;
    }
    return make_temporal(kind, precision);
  }

  Result<TypePtr> interval() {
    const std::string unit = peek_word();
    at_ += unit.size();
    MR_TRY(optional_number(0));
    if (keyword("TO")) {
      const std::string to = peek_word();
      at_ += to.size();
      MR_TRY(optional_number(0));
    }
    if (unit == "YEAR" || unit == "MONTH") return make_type(TypeKind::kIntervalMonths);
    if (unit == "DAY" || unit == "HOUR" || unit == "MINUTE" || unit == "SECOND") {
      return make_type(TypeKind::kIntervalMillis);
    }
    return failure("unknown interval unit");
  }

  Result<TypePtr> nested(const std::string& word, int depth) {
    const bool parenthesis = word == "ROW" && symbol('(');
    if (!parenthesis && !symbol('<')) return failure("`<` is missing behind " + word);
    const char close = parenthesis ? ')' : '>';
    if (word == "ROW") return row(depth, close);
    MR_ASSIGN(TypePtr first, type(depth + 1));
    if (word == "ARRAY") {
      if (!symbol('>')) return failure("`>` is missing");
      return make_array(std::move(first));
    }
    if (!symbol(',')) return failure("MAP needs two types, as in MAP<STRING, INT>");
    MR_ASSIGN(TypePtr second, type(depth + 1));
    if (!symbol('>')) return failure("`>` is missing");
    return make_map(std::move(first), std::move(second));
  }

  Result<TypePtr> row(int depth, char close) {
    std::vector<std::string> names;
    std::vector<TypePtr> types;
    do {
      MR_ASSIGN(std::string name, field_name());
      MR_ASSIGN(TypePtr field, type(depth + 1));
      names.push_back(std::move(name));
      types.push_back(std::move(field));
    } while (symbol(','));
    if (!symbol(close)) return failure("ROW is not closed");
    return make_row(std::move(names), std::move(types));
  }

  Result<std::string> field_name() {
    skip_blanks();
    if (symbol('`')) {
      const size_t end = text_.find('`', at_);
      if (end == std::string_view::npos) return failure("a back quote is not closed");
      std::string name(text_.substr(at_, end - at_));
      at_ = end + 1;
      return name;
    }
    const size_t length = peek_word().size();
    if (length == 0) return failure("a field name is expected");
    std::string name(text_.substr(at_, length));
    at_ += length;
    return name;
  }

  std::string_view text_;
  size_t at_ = 0;
};

}  // namespace

Result<TypePtr> parse_type(std::string_view text, size_t* consumed) {
  TypeParser parser(text);
  MR_ASSIGN(TypePtr type, parser.type());
  const size_t end = parser.position();
  if (consumed != nullptr) {
    *consumed = end;
  } else if (end != text.size()) {
    return make_error(ErrorCode::kUnknownType,
                      "`" + std::string(text) + "`: not understood from `" + std::string(text.substr(end)) + "` on");
  }
  return type;
}

}  // namespace millrace
