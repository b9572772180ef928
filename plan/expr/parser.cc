#include "plan/expr/parser.h"

#include <fmt/format.h>

#include <algorithm>

namespace millrace {

namespace {

// Binding powers, loosest first; the order is Calcite's. `??` binds tighter than comparisons.
constexpr int kBindOr = 10;
constexpr int kBindAnd = 20;
constexpr int kBindNot = 30;
constexpr int kBindIs = 40;
constexpr int kBindCompare = 50;
constexpr int kBindBetween = 55;
constexpr int kBindCoalesce = 57;
constexpr int kBindAdd = 60;
constexpr int kBindMultiply = 70;
constexpr int kBindUnary = 80;
constexpr int kBindPostfix = 90;

struct SymbolOperator {
  std::string_view symbol;
  std::string_view name;
  int binding;
};
constexpr SymbolOperator kSymbolOperators[] = {
    {"=", "=", kBindCompare},   {"==", "=", kBindCompare},   {"<>", "<>", kBindCompare},
    {"!=", "<>", kBindCompare}, {"<", "<", kBindCompare},    {"<=", "<=", kBindCompare},
    {">", ">", kBindCompare},   {">=", ">=", kBindCompare},  {"+", "+", kBindAdd},
    {"-", "-", kBindAdd},       {"*", "*", kBindMultiply},   {"/", "/", kBindMultiply},
    {"%", "%", kBindMultiply},  {"||", "||", kBindMultiply}, {"??", "COALESCE", kBindCoalesce},
};

constexpr uint32_t kNestingMax = 200;

std::string describe(const Token& token) {
  if (token.kind == TokenKind::kEnd) return "the end";
  if (token.kind == TokenKind::kString) return "a text";
  return fmt::format("`{}`", token.text);
}

}  // namespace

bool ExpressionParser::take_symbol(std::string_view symbol) {
  if (!token().is_symbol(symbol)) return false;
  advance();
  return true;
}

bool ExpressionParser::take_word(std::string_view word) {
  if (!token().is_word(word)) return false;
  advance();
  return true;
}

bool ExpressionParser::expect_symbol(std::string_view symbol, std::string_view where) {
  if (take_symbol(symbol)) return true;
  fail(token(), fmt::format("expected `{}` {}, found {}", symbol, where, describe(token())));
  return false;
}

bool ExpressionParser::expect_word(std::string_view word, std::string_view where) {
  if (take_word(word)) return true;
  fail(token(), fmt::format("expected {} {}, found {}", word, where, describe(token())));
  return false;
}

AstPtr ExpressionParser::fail(const Token& at, std::string message, std::string help, ErrorCode code) {
  if (!failed_) error_ = ExprError{code, std::move(message), std::move(help), at.begin, std::max(at.end, at.begin)};
  failed_ = true;
  return nullptr;
}

AstPtr ExpressionParser::fail_range(uint32_t begin, uint32_t end, std::string message, ErrorCode code) {
  if (!failed_) error_ = ExprError{code, std::move(message), "", begin, end};
  failed_ = true;
  return nullptr;
}

ExpressionParser::Node ExpressionParser::node(AstKind kind, uint32_t begin) {
  auto made = std::make_shared<Ast>();
  made->kind = kind;
  made->begin = begin;
  return made;
}

AstPtr ExpressionParser::seal(Node made) {
  if (failed_) return nullptr;
  made->end = std::max(last_end(), made->begin);
  for (const AstPtr& arg : made->args) {
    if (arg) made->depth = std::max(made->depth, arg->depth + 1);
  }
  if (made->filter) made->depth = std::max(made->depth, made->filter->depth + 1);
  if (made->depth > kExpressionDepthMax) {
    return fail_range(made->begin, made->end, "the expression is nested too deeply");
  }
  return made;
}

AstPtr ExpressionParser::call(std::string name, uint32_t begin, std::vector<AstPtr> args) {
  Node made = node(AstKind::kCall, begin);
  made->name = std::move(name);
  made->args = std::move(args);
  for (const AstPtr& arg : made->args) {
    if (!arg) return nullptr;
  }
  return seal(std::move(made));
}

ExprResult<AstPtr> ExpressionParser::run() {
  if (token().kind == TokenKind::kEnd) fail(token(), "the expression is empty");
  AstPtr tree = failed_ ? nullptr : parse(0);
  if (!failed_ && token().kind != TokenKind::kEnd) {
    fail(token(), fmt::format("unexpected {} after the expression", describe(token())));
  }
  if (failed_) return std::unexpected(error_);
  return tree;
}

AstPtr ExpressionParser::parse(int binding) {
  if (++nesting_ > kNestingMax) return fail(token(), "the expression is nested too deeply");
  AstPtr left = parse_prefix();
  bool done = false;
  while (!failed_ && !done) {
    AstPtr next = parse_infix(left, binding, done);
    if (!done) left = std::move(next);
  }
  --nesting_;
  return failed_ ? nullptr : left;
}

AstPtr ExpressionParser::parse_prefix() {
  const Token at = token();
  if (take_word("NOT")) return call("NOT", at.begin, {parse(kBindNot)});
  if (take_symbol("+")) return call("+x", at.begin, {parse(kBindUnary)});
  if (take_symbol("-")) {
    // A sign in front of a number belongs to the literal: -2147483648 is an INT.
    TokenKind kind = token().kind;
    bool number = kind == TokenKind::kInteger || kind == TokenKind::kDecimal || kind == TokenKind::kDouble;
    if (number && !token(1).is_symbol("::") && !token(1).is_symbol("[")) {
      tokens_[at_].text.insert(0, "-");
      tokens_[at_].begin = at.begin;
      return parse_number();
    }
    return call("-x", at.begin, {parse(kBindUnary)});
  }
  return parse_primary();
}

AstPtr ExpressionParser::parse_infix(AstPtr left, int binding, bool& done) {
  if (token().kind == TokenKind::kSymbol) return parse_symbol_infix(left, binding, done);
  if (token().kind == TokenKind::kWord) return parse_word_infix(left, binding, done);
  done = true;
  return left;
}

AstPtr ExpressionParser::parse_symbol_infix(const AstPtr& left, int binding, bool& done) {
  const Token at = token();
  if (kBindPostfix > binding) {
    if (take_symbol("::")) {
      Node cast = node(AstKind::kCast, left->begin);
      cast->args = {left};
      cast->type = parse_type_here();
      return seal(std::move(cast));
    }
    if (take_symbol("[")) {
      AstPtr index = parse(0);
      if (failed_ || !expect_symbol("]", "after the index")) return nullptr;
      return call("ITEM", left->begin, {left, index});
    }
    if (take_symbol(".")) {
      Node field = node(AstKind::kField, left->begin);
      if (token().kind != TokenKind::kWord && token().kind != TokenKind::kQuotedWord) {
        return fail(token(), "expected a field name after `.`");
      }
      field->name = token().text;
      field->args = {left};
      advance();
      return seal(std::move(field));
    }
  }
  for (const SymbolOperator& op : kSymbolOperators) {
    if (at.text != op.symbol || op.binding <= binding) continue;
    advance();
    return call(std::string(op.name), left->begin, {left, parse(op.binding)});
  }
  done = true;
  return left;
}

AstPtr ExpressionParser::parse_word_infix(const AstPtr& left, int binding, bool& done) {
  if (kBindOr > binding && take_word("OR")) return call("OR", left->begin, {left, parse(kBindOr)});
  if (kBindAnd > binding && take_word("AND")) return call("AND", left->begin, {left, parse(kBindAnd)});
  if (kBindIs > binding && take_word("IS")) return parse_is(left);
  if (kBindBetween > binding) {
    bool negated = token().is_word("NOT");
    const Token& word = negated ? token(1) : token();
    AstPtr result;
    bool known = word.is_word("BETWEEN") || word.is_word("IN") || word.is_word("LIKE") || word.is_word("SIMILAR");
    if (known) {
      if (negated) advance();
      if (take_word("BETWEEN")) {
        result = parse_between(left);
      } else if (take_word("IN")) {
        result = parse_in(left);
      } else if (take_word("LIKE")) {
        result = parse_like(left, "LIKE");
      } else {
        advance();
        if (!expect_word("TO", "after SIMILAR")) return nullptr;
        result = parse_like(left, "SIMILAR TO");
      }
      return negated && !failed_ ? negate(result, left->begin) : result;
    }
    if (take_word("OVERLAPS")) return call("OVERLAPS", left->begin, {left, parse(kBindBetween)});
  }
  done = true;
  return left;
}

AstPtr ExpressionParser::negate(AstPtr inner, uint32_t begin) { return call("NOT", begin, {std::move(inner)}); }

AstPtr ExpressionParser::parse_is(const AstPtr& left) {
  bool negated = take_word("NOT");
  const Token at = token();
  for (std::string_view word : {"NULL", "TRUE", "FALSE", "UNKNOWN"}) {
    if (!take_word(word)) continue;
    // IS UNKNOWN is IS NULL of a BOOLEAN.
    std::string name = word == "NULL" ? "IS NULL" : fmt::format("IS {}", word);
    AstPtr test = call(name, left->begin, {left});
    return negated && !failed_ ? negate(test, left->begin) : test;
  }
  if (take_word("DISTINCT")) {
    if (!expect_word("FROM", "after IS DISTINCT")) return nullptr;
    AstPtr test = call("IS DISTINCT FROM", left->begin, {left, parse(kBindCompare)});
    return negated && !failed_ ? negate(test, left->begin) : test;
  }
  if (take_word("JSON")) return parse_is_json(left, negated);
  return fail(at, "expected NULL, TRUE, FALSE, UNKNOWN, DISTINCT FROM or JSON after IS");
}

AstPtr ExpressionParser::parse_is_json(const AstPtr& left, bool negated) {
  std::string name = "IS JSON";
  if (take_word("VALUE")) {
    name = "IS JSON";
  } else {
    for (std::string_view word : {"OBJECT", "ARRAY", "SCALAR"}) {
      if (take_word(word)) name = fmt::format("IS JSON {}", word);
    }
  }
  AstPtr test = call(name, left->begin, {left});
  return negated && !failed_ ? negate(test, left->begin) : test;
}

AstPtr ExpressionParser::parse_between(const AstPtr& left) {
  bool symmetric = take_word("SYMMETRIC");
  if (!symmetric) take_word("ASYMMETRIC");
  AstPtr low = parse(kBindBetween);
  if (failed_ || !expect_word("AND", "between the bounds")) return nullptr;
  AstPtr high = parse(kBindBetween);
  if (failed_) return nullptr;
  auto within = [&](const AstPtr& from, const AstPtr& to) {
    return call("AND", left->begin, {call(">=", left->begin, {left, from}), call("<=", left->begin, {left, to})});
  };
  AstPtr plain = within(low, high);
  if (!symmetric || failed_) return plain;
  return call("OR", left->begin, {plain, within(high, low)});
}

AstPtr ExpressionParser::parse_in(const AstPtr& left) {
  if (!expect_symbol("(", "after IN")) return nullptr;
  if (token().is_word("SELECT")) {
    return fail(token(), "a sub-query is not an expression", "", ErrorCode::kNotSupportedYet);
  }
  Node made = node(AstKind::kCall, left->begin);
  made->name = "IN";
  made->args = {left};
  do {
    made->args.push_back(parse(0));
  } while (!failed_ && take_symbol(","));
  if (failed_ || !expect_symbol(")", "after the list of IN")) return nullptr;
  return seal(std::move(made));
}

AstPtr ExpressionParser::parse_like(const AstPtr& left, std::string name) {
  std::vector<AstPtr> args = {left, parse(kBindBetween)};
  if (!failed_ && take_word("ESCAPE")) args.push_back(parse(kBindBetween));
  if (failed_) return nullptr;
  return call(std::move(name), left->begin, std::move(args));
}

ExprResult<AstPtr> parse_expression(std::string_view text) {
  constexpr size_t kTextMax = 256 * 1024;
  if (text.size() > kTextMax) {
    return std::unexpected(ExprError{ErrorCode::kExpressionSyntax, "the expression is longer than 256 KB", "", 0, 0});
  }
  auto tokens = tokenize_expression(text);
  if (!tokens) return std::unexpected(tokens.error());
  return ExpressionParser(text, std::move(*tokens)).run();
}

}  // namespace millrace
