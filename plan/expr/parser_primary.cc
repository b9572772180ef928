// Literals, names, parentheses, CASE and calls.
#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "data/datetime.h"
#include "data/decimal.h"
#include "data/number_text.h"
#include "plan/expr/parser.h"

namespace millrace {

namespace {

/// Words that cannot start an operand: seeing one means that something is missing before it.
bool is_reserved(const std::string& upper) {
  static constexpr std::string_view kReserved[] = {"AND",  "OR",   "IS",     "IN",   "LIKE", "BETWEEN", "WHEN",
                                                   "THEN", "ELSE", "END",    "FROM", "AS",   "SELECT",  "WHERE",
                                                   "TO",   "ON",   "ESCAPE", "FOR",  "BY",   "GROUP",   "ORDER"};
  return std::find(std::begin(kReserved), std::end(kReserved), upper) != std::end(kReserved);
}

/// Niladic functions that SQL writes without parentheses.
bool is_bare_function(const std::string& upper) {
  static constexpr std::string_view kBare[] = {"CURRENT_DATE", "CURRENT_TIME", "CURRENT_TIMESTAMP", "LOCALTIME",
                                               "LOCALTIMESTAMP"};
  return std::find(std::begin(kBare), std::end(kBare), upper) != std::end(kBare);
}

/// Length as SQL counts it here: UTF-16 units, as in Flink.
int text_length(std::string_view text) {
  int length = 0;
  for (char c : text) {
    auto byte = static_cast<unsigned char>(c);
    if ((byte & 0xC0) != 0x80) ++length;
    if (byte >= 0xF0) ++length;
  }
  return length;
}

int64_t days_or_minus_one(std::string_view text) {
  auto days = parse_date(text);
  return days ? *days : INT64_MIN;
}

}  // namespace

bool is_time_unit(const std::string& upper, std::string& unit) {
  static constexpr std::string_view kUnits[] = {"MILLENNIUM", "CENTURY",     "DECADE",      "YEAR",      "ISOYEAR",
                                                "QUARTER",    "MONTH",       "WEEK",        "DAY",       "DOY",
                                                "DOW",        "ISODOW",      "HOUR",        "MINUTE",    "SECOND",
                                                "EPOCH",      "MILLISECOND", "MICROSECOND", "NANOSECOND"};
  static constexpr std::pair<std::string_view, std::string_view> kAliases[] = {
      {"SQL_TSI_YEAR", "YEAR"},     {"SQL_TSI_QUARTER", "QUARTER"}, {"SQL_TSI_MONTH", "MONTH"},
      {"SQL_TSI_WEEK", "WEEK"},     {"SQL_TSI_DAY", "DAY"},         {"SQL_TSI_HOUR", "HOUR"},
      {"SQL_TSI_MINUTE", "MINUTE"}, {"SQL_TSI_SECOND", "SECOND"}};
  for (std::string_view known : kUnits) {
    if (upper == known || (upper.size() == known.size() + 1 && upper.back() == 'S' && upper.starts_with(known))) {
      unit = known;
      return true;
    }
  }
  for (const auto& [alias, known] : kAliases) {
    if (upper == alias) {
      unit = known;
      return true;
    }
  }
  return false;
}

AstPtr ExpressionParser::text_literal(std::string value, uint32_t begin, uint32_t end) {
  Node made = node(AstKind::kLiteral, begin);
  made->type = make_text(TypeKind::kChar, text_length(value), false);
  made->literal = std::move(value);
  AstPtr sealed = seal(made);
  made->end = end;
  return sealed;
}

AstPtr ExpressionParser::parse_number() {
  const Token at = token();
  advance();
  Node made = node(AstKind::kLiteral, at.begin);
  if (at.kind == TokenKind::kDouble) {
    made->type = make_type(TypeKind::kDouble, false);
    made->literal = *parse_double(at.text);
    return seal(std::move(made));
  }
  bool negative = at.text.front() == '-';
  std::string_view digits = std::string_view(at.text).substr(negative ? 1 : 0);
  if (at.kind == TokenKind::kInteger) {
    if (auto value = parse_int64(at.text)) {
      bool small = *value >= INT32_MIN && *value <= INT32_MAX;
      made->type = make_type(small ? TypeKind::kInt : TypeKind::kBigInt, false);
      made->literal = *value;
      return seal(std::move(made));
    }
  }
  size_t point = digits.find('.');
  int scale = point == std::string_view::npos ? 0 : static_cast<int>(digits.size() - point - 1);
  int precision = static_cast<int>(digits.size()) - (point == std::string_view::npos ? 0 : 1);
  if (at.kind == TokenKind::kInteger || scale == 0) {
    size_t zeros = std::min(digits.find_first_not_of('0'), digits.size() - 1);
    precision -= static_cast<int>(std::min<size_t>(zeros, static_cast<size_t>(precision) - 1));
  }
  if (precision > kDecimalPrecisionMax) {
    return fail(at, fmt::format("the number has {} digits, DECIMAL holds {}", precision, kDecimalPrecisionMax), "",
                ErrorCode::kTypeMismatch);
  }
  int128 unscaled = 0;
  if (decimal_parse(at.text, precision, scale, unscaled) != DecimalParse::kOk) return fail(at, "not a number");
  made->type = make_decimal(precision, scale, false);
  made->literal = unscaled;
  return seal(std::move(made));
}

AstPtr ExpressionParser::parse_primary() {
  const Token at = token();
  switch (at.kind) {
    case TokenKind::kInteger:
    case TokenKind::kDecimal:
    case TokenKind::kDouble:
      return parse_number();
    case TokenKind::kString:
      advance();
      return text_literal(at.text, at.begin, at.end);
    case TokenKind::kBinary: {
      advance();
      Node made = node(AstKind::kLiteral, at.begin);
      made->type = make_type(TypeKind::kBytes, false);
      made->literal = at.text;
      return seal(std::move(made));
    }
    case TokenKind::kParameter: {
      advance();
      Node made = node(AstKind::kParameter, at.begin);
      made->name = at.text;
      return seal(std::move(made));
    }
    case TokenKind::kQuotedWord:
      return token(1).is_symbol("(") ? parse_call() : parse_path();
    case TokenKind::kWord:
      return parse_word();
    case TokenKind::kSymbol:
      if (at.text == "(") return parse_parenthesised();
      break;
    case TokenKind::kEnd:
      break;
  }
  if (at.kind == TokenKind::kEnd) return fail(at, "the expression ends where an operand is expected");
  return fail(at, fmt::format("expected an operand, found `{}`", at.text));
}

AstPtr ExpressionParser::parse_word() {
  const Token at = token();
  const std::string& word = at.upper;
  if (word == "NULL" || word == "TRUE" || word == "FALSE") {
    advance();
    Node made = node(AstKind::kLiteral, at.begin);
    made->type = make_type(word == "NULL" ? TypeKind::kNull : TypeKind::kBoolean, word == "NULL");
    if (word != "NULL") made->literal = word == "TRUE";
    return seal(std::move(made));
  }
  if (word == "CASE") return parse_case();
  bool text_next = token(1).kind == TokenKind::kString;
  if (text_next && (word == "DATE" || word == "TIME" || word == "TIMESTAMP")) return parse_temporal_literal();
  if (word == "INTERVAL" && (text_next || token(1).is_symbol("-") || token(1).is_symbol("+"))) return parse_interval();
  if ((word == "ARRAY" || word == "MAP") && token(1).is_symbol("[")) return parse_bracketed(word);
  if (token(1).is_symbol("(") && !is_reserved(word)) return parse_call();
  if (is_bare_function(word) && !token(1).is_symbol(".")) {
    advance();
    return call(word, at.begin, {});
  }
  if (is_reserved(word)) return fail(at, fmt::format("expected an operand before `{}`", at.text));
  return parse_path();
}

AstPtr ExpressionParser::parse_path() {
  Node made = node(AstKind::kName, token().begin);
  made->path.push_back(token().text);
  advance();
  while (token().is_symbol(".") && (token(1).kind == TokenKind::kWord || token(1).kind == TokenKind::kQuotedWord)) {
    advance();
    made->path.push_back(token().text);
    advance();
  }
  return seal(std::move(made));
}

AstPtr ExpressionParser::parse_parenthesised() {
  uint32_t begin = token().begin;
  advance();
  std::vector<AstPtr> items;
  do {
    items.push_back(parse(0));
  } while (!failed_ && take_symbol(","));
  if (failed_ || !expect_symbol(")", "to close the parenthesis")) return nullptr;
  if (items.size() > 1) return call("ROW", begin, std::move(items));
  // (a - b) DAY: the difference of two times as an interval.
  std::string unit;
  const Ast& inner = *items[0];
  if (inner.kind == AstKind::kCall && inner.name == "-" && token().kind == TokenKind::kWord &&
      is_time_unit(token().upper, unit)) {
    AstPtr qualifier = parse_unit();
    if (token().is_word("TO")) {
      advance();
      (void)parse_unit();
    }
    return call("- INTERVAL", begin, {inner.args[0], inner.args[1], qualifier});
  }
  return items[0];
}

AstPtr ExpressionParser::parse_case() {
  Node made = node(AstKind::kCase, token().begin);
  advance();
  made->args.push_back(token().is_word("WHEN") ? nullptr : parse(0));
  if (failed_) return nullptr;
  if (!token().is_word("WHEN")) return fail(token(), "expected WHEN after CASE");
  while (take_word("WHEN")) {
    made->args.push_back(parse(0));
    if (failed_ || !expect_word("THEN", "after the condition")) return nullptr;
    made->args.push_back(parse(0));
    if (failed_) return nullptr;
  }
  AstPtr otherwise;
  if (take_word("ELSE")) otherwise = parse(0);
  made->args.push_back(otherwise);
  if (failed_ || !expect_word("END", "to close CASE")) return nullptr;
  return seal(std::move(made));
}

AstPtr ExpressionParser::parse_temporal_literal() {
  const Token word = token();
  advance();
  const Token text = token();
  advance();
  Node made = node(AstKind::kLiteral, word.begin);
  if (word.upper == "DATE") {
    int64_t days = days_or_minus_one(text.text);
    bool whole = text.text.find_first_of(" T") == std::string::npos && std::ranges::count(text.text, '-') == 2;
    if (days == INT64_MIN || !whole) return fail(text, "not a date: expected 'yyyy-MM-dd'");
    made->type = make_type(TypeKind::kDate, false);
    made->literal = days;
    return seal(std::move(made));
  }
  size_t point = text.text.find('.');
  int precision = point == std::string::npos ? 0 : static_cast<int>(text.text.size() - point - 1);
  if (word.upper == "TIME") {
    auto millis = parse_time(text.text);
    if (!millis || std::ranges::count(text.text, ':') != 2) return fail(text, "not a time: expected 'HH:mm:ss[.SSS]'");
    made->type = make_temporal(TypeKind::kTime, precision, false);
    made->literal = static_cast<int64_t>(*millis);
  } else {
    bool sub_millis = false;
    auto millis = parse_timestamp(text.text, &sub_millis);
    int64_t day_end = millis ? floor_div(*millis, kMillisPerDay) : 0;
    if (!millis || text.text.find(' ') == std::string::npos || days_or_minus_one(text.text) != day_end) {
      return fail(text, "not a timestamp: expected 'yyyy-MM-dd HH:mm:ss[.SSS]'");
    }
    if (sub_millis) {
      return fail(text, "times hold milliseconds; this one has finer digits", "", ErrorCode::kNotSupportedYet);
    }
    made->type = make_temporal(TypeKind::kTimestamp, precision, false);
    made->literal = *millis;
  }
  if (precision > 9) return fail(text, "at most 9 digits may follow the seconds");
  return seal(std::move(made));
}

AstPtr ExpressionParser::parse_bracketed(std::string name) {
  Node made = node(AstKind::kCall, token().begin);
  made->name = std::move(name);
  advance();
  advance();
  if (!parse_arguments(*made, "]")) return nullptr;
  return seal(std::move(made));
}

bool ExpressionParser::parse_arguments(Ast& made, std::string_view close) {
  if (take_symbol(close)) return true;
  do {
    made.args.push_back(parse(0));
    if (failed_) return false;
  } while (take_symbol(","));
  return expect_symbol(close, "after the arguments");
}

AstPtr ExpressionParser::parse_call() {
  const Token at = token();
  if (at.kind == TokenKind::kWord) {
    bool handled = false;
    AstPtr special = parse_special_call(at.upper, handled);
    if (handled || failed_) return special;
  }
  Node made = node(AstKind::kCall, at.begin);
  made->name = at.kind == TokenKind::kWord ? at.upper : to_upper_ascii(at.text);
  advance();
  advance();
  if (token().is_symbol("*") && token(1).is_symbol(")")) {
    advance();
    advance();
    made->star = true;
    return parse_call_tail(std::move(made));
  }
  if (take_word("DISTINCT")) {
    made->distinct = true;
  } else if (token().is_word("ALL") && !token(1).is_symbol(",") && !token(1).is_symbol(")")) {
    advance();
  }
  if (!parse_arguments(*made, ")")) return nullptr;
  return parse_call_tail(std::move(made));
}

AstPtr ExpressionParser::parse_call_tail(Node made) {
  if (token().is_word("FILTER") && token(1).is_symbol("(")) {
    advance();
    advance();
    if (!expect_word("WHERE", "after FILTER (")) return nullptr;
    made->filter = parse(0);
    if (failed_ || !expect_symbol(")", "after the filter")) return nullptr;
  }
  if (token().is_word("OVER") || token().is_word("WITHIN")) {
    return fail(token(), fmt::format("{} is not supported in an expression", token().upper), "",
                ErrorCode::kNotSupportedYet);
  }
  return seal(std::move(made));
}

}  // namespace millrace
