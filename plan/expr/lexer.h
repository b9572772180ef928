// Splits the text of an expression into tokens with byte positions. Everything the parser reads comes from here.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "plan/expr/expression.h"

namespace millrace {

enum class TokenKind : uint8_t {
  kEnd,
  kWord,        // identifier or keyword; text as written, upper in upper case
  kQuotedWord,  // `identifier`; never a keyword
  kInteger,
  kDecimal,    // 1.5
  kDouble,     // 1E0
  kString,     // 'text', unescaped; also U&'…'
  kBinary,     // X'6162': the bytes
  kParameter,  // $name
  kSymbol,
};

struct Token {
  TokenKind kind = TokenKind::kEnd;
  std::string text;
  std::string upper;
  uint32_t begin = 0;
  uint32_t end = 0;

  [[nodiscard]] bool is_symbol(std::string_view symbol) const { return kind == TokenKind::kSymbol && text == symbol; }
  [[nodiscard]] bool is_word(std::string_view word) const { return kind == TokenKind::kWord && upper == word; }
};

/// The last token is kEnd.
ExprResult<std::vector<Token>> tokenize_expression(std::string_view text);

std::string to_upper_ascii(std::string_view text);

}  // namespace millrace
