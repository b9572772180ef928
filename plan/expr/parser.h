// Internal to plan/expr: the Pratt parser, split over parser.cc (operators), parser_primary.cc (literals, names, calls)
// and parser_special.cc (functions with a syntax of their own). One object per parse; not shared between threads.
// The first error wins: it is kept in `error_` and every method then returns null.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "plan/expr/ast.h"
#include "plan/expr/lexer.h"

namespace millrace {

class ExpressionParser {
 public:
  ExpressionParser(std::string_view text, std::vector<Token> tokens) : text_(text), tokens_(std::move(tokens)) {}

  ExprResult<AstPtr> run();

 private:
  using Node = std::shared_ptr<Ast>;

  // parser.cc
  AstPtr parse(int binding);
  AstPtr parse_prefix();
  /// Continues `left` with the operator at hand; null with `done` when none binds tightly enough.
  AstPtr parse_infix(AstPtr left, int binding, bool& done);
  AstPtr parse_symbol_infix(const AstPtr& left, int binding, bool& done);
  AstPtr parse_word_infix(const AstPtr& left, int binding, bool& done);
  AstPtr parse_is(const AstPtr& left);
  AstPtr parse_is_json(const AstPtr& left, bool negated);
  AstPtr parse_between(const AstPtr& left);
  AstPtr parse_in(const AstPtr& left);
  AstPtr parse_like(const AstPtr& left, std::string name);
  AstPtr negate(AstPtr inner, uint32_t begin);

  // parser_primary.cc
  AstPtr parse_primary();
  AstPtr parse_word();
  AstPtr parse_number();
  AstPtr parse_parenthesised();
  AstPtr parse_path();
  AstPtr parse_case();
  AstPtr parse_temporal_literal();
  AstPtr parse_interval();
  AstPtr parse_call();
  AstPtr parse_call_tail(Node call);
  AstPtr parse_bracketed(std::string name);
  bool parse_arguments(Ast& call, std::string_view close);

  // parser_special.cc
  AstPtr parse_special_call(const std::string& name, bool& handled);
  AstPtr parse_cast(bool try_cast);
  AstPtr parse_extract();
  AstPtr parse_position();
  AstPtr parse_trim();
  AstPtr parse_overlay();
  AstPtr parse_substring(const std::string& name);
  AstPtr parse_floor_ceil(const std::string& name);
  AstPtr parse_timestamp_add_diff(const std::string& name);
  AstPtr parse_json_path_call(const std::string& name);
  bool parse_json_behaviour(Ast& call);
  AstPtr parse_json_object();
  AstPtr parse_json_array();
  AstPtr parse_json_object_aggregate();
  AstPtr parse_json_array_aggregate();
  AstPtr parse_json_aggregate_tail(Node call, bool absent);
  AstPtr parse_json_null_clause(Node call);
  /// A word that names a time unit, as a literal node.
  AstPtr parse_unit();
  TypePtr parse_type_here();

  // both
  [[nodiscard]] const Token& token(size_t ahead = 0) const {
    return tokens_[at_ + ahead < tokens_.size() ? at_ + ahead : tokens_.size() - 1];
  }
  void advance() {
    if (at_ + 1 < tokens_.size()) ++at_;
  }
  [[nodiscard]] uint32_t last_end() const { return at_ == 0 ? 0 : tokens_[at_ - 1].end; }
  bool take_symbol(std::string_view symbol);
  bool take_word(std::string_view word);
  bool expect_symbol(std::string_view symbol, std::string_view where);
  bool expect_word(std::string_view word, std::string_view where);
  AstPtr fail(const Token& at, std::string message, std::string help = {},
              ErrorCode code = ErrorCode::kExpressionSyntax);
  AstPtr fail_range(uint32_t begin, uint32_t end, std::string message, ErrorCode code = ErrorCode::kExpressionSyntax);
  /// Sets the end and the depth; refuses trees that are too deep.
  AstPtr seal(Node node);
  Node node(AstKind kind, uint32_t begin);
  AstPtr call(std::string name, uint32_t begin, std::vector<AstPtr> args);
  AstPtr text_literal(std::string value, uint32_t begin, uint32_t end);

  std::string_view text_;
  std::vector<Token> tokens_;
  size_t at_ = 0;
  uint32_t nesting_ = 0;
  bool failed_ = false;
  ExprError error_;
};

/// Whether the word is a time unit ("DAY", "DAYS"); gives its singular upper-case form.
bool is_time_unit(const std::string& upper, std::string& unit);

}  // namespace millrace
