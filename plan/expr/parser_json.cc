// JSON_VALUE, JSON_QUERY, JSON_EXISTS, JSON_OBJECT, JSON_ARRAY and their aggregates with their clauses. The clauses
// become leading or trailing literal arguments, described at each method; functions/json reads them.
#include <fmt/format.h>

#include "plan/expr/parser.h"

namespace millrace {

namespace {

AstPtr null_literal(uint32_t begin) {
  auto made = std::make_shared<Ast>();
  made->kind = AstKind::kLiteral;
  made->begin = begin;
  made->end = begin;
  made->type = make_type(TypeKind::kNull);
  return made;
}

}  // namespace

// JSON_VALUE(text, path, on_empty, empty_default, on_error, error_default) with type = RETURNING;
// JSON_QUERY(text, path, wrapper, on_empty, on_error); JSON_EXISTS(text, path, on_error).
// The on_… and wrapper arguments are texts: NULL, ERROR, DEFAULT, EMPTY ARRAY, EMPTY OBJECT, TRUE, FALSE, UNKNOWN;
// WITHOUT, CONDITIONAL, UNCONDITIONAL.
AstPtr ExpressionParser::parse_json_path_call(const std::string& name) {
  const Token at = token();
  Node made = node(AstKind::kCall, at.begin);
  made->name = name;
  advance();
  advance();
  made->args = {parse(0)};
  if (failed_ || !expect_symbol(",", "before the path")) return nullptr;
  made->args.push_back(parse(0));
  if (failed_) return nullptr;
  auto word = [&](std::string text) { return text_literal(std::move(text), at.begin, at.begin); };
  if (take_word("RETURNING")) made->type = parse_type_here();
  if (name == "JSON_VALUE") {
    for (int i = 0; i < 2; ++i) {
      made->args.push_back(word("NULL"));
      made->args.push_back(null_literal(at.begin));
    }
  } else if (name == "JSON_QUERY") {
    std::string wrapper = "WITHOUT";
    if (take_word("WITHOUT")) {
      take_word("ARRAY");
      if (!expect_word("WRAPPER", "after WITHOUT")) return nullptr;
    } else if (take_word("WITH")) {
      wrapper = take_word("CONDITIONAL") ? "CONDITIONAL" : "UNCONDITIONAL";
      take_word("UNCONDITIONAL");
      take_word("ARRAY");
      if (!expect_word("WRAPPER", "after WITH")) return nullptr;
    }
    made->args.insert(made->args.end(), {word(wrapper), word("NULL"), word("NULL")});
  } else {
    made->args.push_back(word("FALSE"));
  }
  while (!failed_ && !token().is_symbol(")")) {
    if (!parse_json_behaviour(*made)) return nullptr;
  }
  if (failed_ || !expect_symbol(")", "to close the call")) return nullptr;
  return seal(std::move(made));
}

bool ExpressionParser::parse_json_behaviour(Ast& made) {
  const Token at = token();
  std::string behaviour;
  AstPtr value;
  if (take_word("DEFAULT")) {
    behaviour = "DEFAULT";
    value = parse(0);
  } else if (take_word("EMPTY")) {
    behaviour = take_word("OBJECT") ? "EMPTY OBJECT" : "EMPTY ARRAY";
    take_word("ARRAY");
  } else {
    for (std::string_view known : {"NULL", "ERROR", "TRUE", "FALSE", "UNKNOWN"}) {
      if (behaviour.empty() && take_word(known)) behaviour = known;
    }
  }
  if (behaviour.empty()) fail(at, fmt::format("unexpected `{}` in the call of {}", at.text, made.name));
  if (failed_ || !expect_word("ON", "after the behaviour")) return false;
  bool on_empty = take_word("EMPTY");
  if (!on_empty && !expect_word("ERROR", "after ON")) return false;
  AstPtr text = text_literal(behaviour, at.begin, at.end);
  if (made.name == "JSON_VALUE") {
    made.args[on_empty ? 2 : 4] = text;
    if (value) made.args[on_empty ? 3 : 5] = value;
  } else if (made.name == "JSON_QUERY") {
    made.args[on_empty ? 3 : 4] = text;
  } else {
    made.args[2] = text;
  }
  return true;
}

// JSON_OBJECT(null_clause, key, value, …): the clause is the text NULL or ABSENT.
AstPtr ExpressionParser::parse_json_object() {
  Node made = node(AstKind::kCall, token().begin);
  made->name = "JSON_OBJECT";
  advance();
  advance();
  while (!failed_ && !token().is_symbol(")") &&
         !((token().is_word("NULL") || token().is_word("ABSENT")) && token(1).is_word("ON"))) {
    if (!made->args.empty() && !expect_symbol(",", "between the members")) return nullptr;
    take_word("KEY");
    made->args.push_back(parse(0));
    if (failed_) return nullptr;
    if (!take_symbol(":") && !expect_word("VALUE", "between key and value")) return nullptr;
    made->args.push_back(parse(0));
  }
  return failed_ ? nullptr : parse_json_null_clause(std::move(made));
}

// JSON_ARRAY(null_clause, item, …).
AstPtr ExpressionParser::parse_json_array() {
  Node made = node(AstKind::kCall, token().begin);
  made->name = "JSON_ARRAY";
  advance();
  advance();
  while (!failed_ && !token().is_symbol(")") &&
         !((token().is_word("NULL") || token().is_word("ABSENT")) && token(1).is_word("ON"))) {
    if (!made->args.empty() && !expect_symbol(",", "between the items")) return nullptr;
    made->args.push_back(parse(0));
  }
  return failed_ ? nullptr : parse_json_null_clause(std::move(made));
}

// JSON_OBJECTAGG(key, JSON_STRING(value)); ABSENT ON NULL is a function of its own.
AstPtr ExpressionParser::parse_json_object_aggregate() {
  Node made = node(AstKind::kCall, token().begin);
  made->name = "JSON_OBJECTAGG";
  advance();
  advance();
  take_word("KEY");
  made->args.push_back(parse(0));
  if (failed_) return nullptr;
  if (!take_symbol(":") && !expect_word("VALUE", "between key and value")) return nullptr;
  const uint32_t begin = token().begin;
  AstPtr value = parse(0);
  if (failed_) return nullptr;
  made->args.push_back(call("JSON_STRING", begin, {value}));
  return parse_json_aggregate_tail(std::move(made), false);
}

// JSON_ARRAYAGG(JSON_STRING(item)).
AstPtr ExpressionParser::parse_json_array_aggregate() {
  Node made = node(AstKind::kCall, token().begin);
  made->name = "JSON_ARRAYAGG";
  advance();
  advance();
  const uint32_t begin = token().begin;
  AstPtr item = parse(0);
  if (failed_) return nullptr;
  made->args.push_back(call("JSON_STRING", begin, {item}));
  return parse_json_aggregate_tail(std::move(made), true);
}

AstPtr ExpressionParser::parse_json_aggregate_tail(Node made, bool absent) {
  if (token().is_word("NULL") || token().is_word("ABSENT")) {
    absent = token().upper == "ABSENT";
    advance();
    if (!expect_word("ON", "in the null clause") || !expect_word("NULL", "in the null clause")) return nullptr;
  }
  if (!expect_symbol(")", "to close the call")) return nullptr;
  if (absent) made->name += " ABSENT";
  return parse_call_tail(std::move(made));
}

AstPtr ExpressionParser::parse_json_null_clause(Node made) {
  const Token at = token();
  std::string clause = made->name == "JSON_OBJECT" ? "NULL" : "ABSENT";
  if (token().is_word("NULL") || token().is_word("ABSENT")) {
    clause = token().upper;
    advance();
    if (!expect_word("ON", "in the null clause") || !expect_word("NULL", "in the null clause")) return nullptr;
  }
  if (!expect_symbol(")", "to close the call")) return nullptr;
  made->args.insert(made->args.begin(), text_literal(clause, at.begin, at.end));
  return seal(std::move(made));
}

}  // namespace millrace
