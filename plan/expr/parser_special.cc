// Functions with a syntax of their own: CAST, EXTRACT, POSITION, TRIM, OVERLAY, SUBSTRING, FLOOR TO, TIMESTAMPADD.
#include <fmt/format.h>

#include <algorithm>

#include "plan/expr/parser.h"

namespace millrace {

TypePtr ExpressionParser::parse_type_here() {
  const Token at = token();
  size_t consumed = 0;
  auto type = parse_type(text_.substr(std::min<size_t>(at.begin, text_.size())), &consumed);
  if (!type) {
    fail(at, type.error().message, type.error().help, type.error().code);
    return nullptr;
  }
  uint32_t end = at.begin + static_cast<uint32_t>(consumed);
  while (token().kind != TokenKind::kEnd && token().begin < end) advance();
  return *type;
}

AstPtr ExpressionParser::parse_unit() {
  std::string unit;
  const Token at = token();
  if (at.kind != TokenKind::kWord || !is_time_unit(at.upper, unit)) {
    return fail(at, fmt::format("expected a time unit such as DAY or MINUTE, found `{}`", at.text));
  }
  advance();
  return text_literal(unit, at.begin, at.end);
}

AstPtr ExpressionParser::parse_special_call(const std::string& name, bool& handled) {
  // The token at hand is the name, the next one `(`.
  handled = true;
  if (name == "CAST") return parse_cast(false);
  if (name == "TRY_CAST") return parse_cast(true);
  if (name == "EXTRACT") return parse_extract();
  if (name == "POSITION") return parse_position();
  if (name == "TRIM") return parse_trim();
  if (name == "OVERLAY") return parse_overlay();
  if (name == "SUBSTRING") return parse_substring(name);
  if (name == "FLOOR" || name == "CEIL" || name == "CEILING") return parse_floor_ceil(name);
  if (name == "TIMESTAMPADD" || name == "TIMESTAMPDIFF") return parse_timestamp_add_diff(name);
  if (name == "JSON_VALUE" || name == "JSON_QUERY" || name == "JSON_EXISTS") return parse_json_path_call(name);
  if (name == "JSON_OBJECT") return parse_json_object();
  if (name == "JSON_ARRAY") return parse_json_array();
  if (name == "JSON_OBJECTAGG") return parse_json_object_aggregate();
  if (name == "JSON_ARRAYAGG") return parse_json_array_aggregate();
  handled = false;
  return nullptr;
}

AstPtr ExpressionParser::parse_cast(bool try_cast) {
  Node made = node(AstKind::kCast, token().begin);
  made->try_cast = try_cast;
  advance();
  advance();
  made->args.push_back(parse(0));
  if (failed_ || !expect_word("AS", "before the type")) return nullptr;
  made->type = parse_type_here();
  if (failed_ || !expect_symbol(")", "after the type")) return nullptr;
  return seal(std::move(made));
}

AstPtr ExpressionParser::parse_extract() {
  uint32_t begin = token().begin;
  advance();
  advance();
  AstPtr unit = parse_unit();
  if (failed_ || !expect_word("FROM", "after the unit")) return nullptr;
  AstPtr operand = parse(0);
  if (failed_ || !expect_symbol(")", "to close EXTRACT")) return nullptr;
  return call("EXTRACT", begin, {unit, operand});
}

AstPtr ExpressionParser::parse_position() {
  uint32_t begin = token().begin;
  advance();
  advance();
  // The needle must not swallow IN.
  AstPtr needle = parse(55);
  if (failed_ || !expect_word("IN", "after the text to find")) return nullptr;
  std::vector<AstPtr> args = {needle, parse(0)};
  if (!failed_ && take_word("FROM")) args.push_back(parse(0));
  if (failed_ || !expect_symbol(")", "to close POSITION")) return nullptr;
  return call("POSITION", begin, std::move(args));
}

AstPtr ExpressionParser::parse_trim() {
  const Token at = token();
  advance();
  advance();
  std::string side = "BOTH";
  bool explicit_side = false;
  for (std::string_view word : {"BOTH", "LEADING", "TRAILING"}) {
    if (!explicit_side && take_word(word)) {
      side = word;
      explicit_side = true;
    }
  }
  AstPtr blank = text_literal(" ", at.begin, at.end);
  AstPtr first = token().is_word("FROM") ? blank : parse(0);
  AstPtr chars = blank;
  AstPtr text = first;
  if (!failed_ && take_word("FROM")) {
    chars = first;
    text = parse(0);
  } else if (explicit_side && !failed_) {
    return fail(token(), fmt::format("expected FROM after {}", side));
  }
  if (failed_ || !expect_symbol(")", "to close TRIM")) return nullptr;
  return call("TRIM " + side, at.begin, {chars, text});
}

AstPtr ExpressionParser::parse_overlay() {
  uint32_t begin = token().begin;
  advance();
  advance();
  std::vector<AstPtr> args = {parse(0)};
  bool commas = token().is_symbol(",");
  if (failed_ || !(commas ? take_symbol(",") : expect_word("PLACING", "after the text"))) return nullptr;
  args.push_back(parse(0));
  if (failed_ ||
      !(commas ? expect_symbol(",", "after the replacement") : expect_word("FROM", "after the replacement"))) {
    return nullptr;
  }
  args.push_back(parse(0));
  if (!failed_ && (commas ? take_symbol(",") : take_word("FOR"))) args.push_back(parse(0));
  if (failed_ || !expect_symbol(")", "to close OVERLAY")) return nullptr;
  return call("OVERLAY", begin, std::move(args));
}

AstPtr ExpressionParser::parse_substring(const std::string& name) {
  uint32_t begin = token().begin;
  advance();
  advance();
  std::vector<AstPtr> args = {parse(0)};
  if (failed_) return nullptr;
  if (take_word("FROM")) {
    args.push_back(parse(0));
    if (!failed_ && take_word("FOR")) args.push_back(parse(0));
  } else {
    while (!failed_ && take_symbol(",")) args.push_back(parse(0));
  }
  if (failed_ || !expect_symbol(")", "to close SUBSTRING")) return nullptr;
  return call(name, begin, std::move(args));
}

AstPtr ExpressionParser::parse_floor_ceil(const std::string& name) {
  uint32_t begin = token().begin;
  advance();
  advance();
  std::string plain = name == "CEILING" ? "CEIL" : name;
  std::vector<AstPtr> args = {parse(0)};
  if (!failed_ && take_word("TO")) {
    args.push_back(parse_unit());
    plain += " TO";
  } else {
    while (!failed_ && take_symbol(",")) args.push_back(parse(0));
  }
  if (failed_ || !expect_symbol(")", "to close the call")) return nullptr;
  return call(plain, begin, std::move(args));
}

AstPtr ExpressionParser::parse_timestamp_add_diff(const std::string& name) {
  uint32_t begin = token().begin;
  advance();
  advance();
  std::vector<AstPtr> args = {parse_unit()};
  while (!failed_ && take_symbol(",")) args.push_back(parse(0));
  if (failed_ || !expect_symbol(")", "to close the call")) return nullptr;
  return call(name, begin, std::move(args));
}

}  // namespace millrace
