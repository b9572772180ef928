#include "plan/expr/lexer.h"

#include <fmt/format.h>

namespace millrace {

namespace {

bool is_word_start(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || (static_cast<unsigned char>(c) & 0x80) != 0;
}
bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_word_part(char c) { return is_word_start(c) || is_digit(c) || c == '$'; }

int hex_value(char c) {
  if (is_digit(c)) return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

void append_code_point(std::string& out, uint32_t code) {
  if (code < 0x80) {
    out += static_cast<char>(code);
  } else if (code < 0x800) {
    out += static_cast<char>(0xC0 | (code >> 6));
    out += static_cast<char>(0x80 | (code & 0x3F));
  } else if (code < 0x10000) {
    out += static_cast<char>(0xE0 | (code >> 12));
    out += static_cast<char>(0x80 | ((code >> 6) & 0x3F));
    out += static_cast<char>(0x80 | (code & 0x3F));
  } else {
    out += static_cast<char>(0xF0 | (code >> 18));
    out += static_cast<char>(0x80 | ((code >> 12) & 0x3F));
    out += static_cast<char>(0x80 | ((code >> 6) & 0x3F));
    out += static_cast<char>(0x80 | (code & 0x3F));
  }
}

class Lexer {
 public:
  explicit Lexer(std::string_view text) : text_(text) {}

  ExprResult<std::vector<Token>> run() {
    while (true) {
      if (!skip_blanks()) return fail(at_, text_.size(), "the comment is not closed");
      if (at_ >= text_.size()) break;
      if (!next()) return std::unexpected(error_);
    }
    push(TokenKind::kEnd, at_, "");
    return std::move(tokens_);
  }

 private:
  std::unexpected<ExprError> fail(size_t begin, size_t end, std::string message) {
    error_ = ExprError{ErrorCode::kExpressionSyntax, std::move(message), "", static_cast<uint32_t>(begin),
                       static_cast<uint32_t>(end)};
    return std::unexpected(error_);
  }
  bool refuse(size_t begin, size_t end, std::string message) {
    (void)fail(begin, end, std::move(message));
    return false;
  }
  [[nodiscard]] char peek(size_t ahead = 0) const { return at_ + ahead < text_.size() ? text_[at_ + ahead] : '\0'; }

  void push(TokenKind kind, size_t begin, std::string text) {
    Token token;
    token.kind = kind;
    token.text = std::move(text);
    if (kind == TokenKind::kWord) token.upper = to_upper_ascii(token.text);
    token.begin = static_cast<uint32_t>(begin);
    token.end = static_cast<uint32_t>(at_);
    tokens_.push_back(std::move(token));
  }

  bool skip_blanks() {
    while (at_ < text_.size()) {
      char c = peek();
      if (c == ' ' || c == '\t' || c == '\n' || c == '\r') {
        ++at_;
      } else if (c == '-' && peek(1) == '-') {
        while (at_ < text_.size() && peek() != '\n') ++at_;
      } else if (c == '/' && peek(1) == '*') {
        size_t close = text_.find("*/", at_ + 2);
        if (close == std::string_view::npos) return false;
        at_ = close + 2;
      } else {
        break;
      }
    }
    return true;
  }

  bool next() {
    char c = peek();
    size_t begin = at_;
    if (c == '\'') return string(TokenKind::kString);
    if ((c == 'x' || c == 'X') && peek(1) == '\'') return binary();
    if ((c == 'u' || c == 'U') && peek(1) == '&' && peek(2) == '\'') return unicode_string();
    if (is_digit(c) || (c == '.' && is_digit(peek(1)) && !after_operand())) return number();
    if (is_word_start(c)) {
      while (is_word_part(peek())) ++at_;
      push(TokenKind::kWord, begin, std::string(text_.substr(begin, at_ - begin)));
      return true;
    }
    if (c == '`') return quoted_word();
    if (c == '$' && is_word_start(peek(1))) {
      ++at_;
      while (is_word_part(peek())) ++at_;
      push(TokenKind::kParameter, begin, std::string(text_.substr(begin + 1, at_ - begin - 1)));
      return true;
    }
    if (c == '"') return refuse(begin, begin + 1, "texts stand in single quotes, names in backquotes");
    return symbol();
  }

  /// Whether a '.' here selects a field.
  [[nodiscard]] bool after_operand() const {
    if (tokens_.empty() || tokens_.back().end != at_) return false;
    const Token& last = tokens_.back();
    return last.kind == TokenKind::kWord || last.kind == TokenKind::kQuotedWord || last.is_symbol("]") ||
           last.is_symbol(")");
  }

  bool quoted_word() {
    size_t begin = at_++;
    std::string word;
    while (true) {
      if (at_ >= text_.size()) return refuse(begin, at_, "the backquote is not closed");
      char c = text_[at_++];
      if (c == '`') {
        if (peek() != '`') break;
        ++at_;
      }
      word += c;
    }
    push(TokenKind::kQuotedWord, begin, std::move(word));
    return true;
  }

  bool read_quoted(std::string& value) {
    size_t begin = at_++;
    while (true) {
      if (at_ >= text_.size()) return refuse(begin, at_, "the text is not closed: a quote is missing");
      char c = text_[at_++];
      if (c == '\'') {
        if (peek() != '\'') return true;
        ++at_;
      }
      value += c;
    }
  }

  bool string(TokenKind kind) {
    size_t begin = at_;
    std::string value;
    if (!read_quoted(value)) return false;
    push(kind, begin, std::move(value));
    return true;
  }

  bool binary() {
    size_t begin = at_++;
    std::string digits;
    if (!read_quoted(digits)) return false;
    std::string bytes;
    if (digits.size() % 2 != 0)
      return refuse(begin, at_, "a binary literal needs an even number of hexadecimal digits");
    for (size_t i = 0; i < digits.size(); i += 2) {
      int high = hex_value(digits[i]);
      int low = hex_value(digits[i + 1]);
      if (high < 0 || low < 0) return refuse(begin, at_, "a binary literal holds hexadecimal digits only");
      bytes += static_cast<char>(high * 16 + low);
    }
    push(TokenKind::kBinary, begin, std::move(bytes));
    return true;
  }

  bool unicode_string() {
    size_t begin = at_;
    at_ += 2;
    std::string raw;
    if (!read_quoted(raw)) return false;
    std::string value;
    uint32_t high_surrogate = 0;
    for (size_t i = 0; i < raw.size(); ++i) {
      if (raw[i] != '\\') {
        value += raw[i];
        continue;
      }
      if (i + 1 < raw.size() && raw[i + 1] == '\\') {
        value += '\\';
        ++i;
        continue;
      }
      uint32_t code = 0;
      if (i + 4 >= raw.size()) return refuse(begin, at_, "U& escapes are a backslash and four hexadecimal digits");
      for (size_t k = 1; k <= 4; ++k) {
        int digit = hex_value(raw[i + k]);
        if (digit < 0) return refuse(begin, at_, "U& escapes are a backslash and four hexadecimal digits");
        code = code * 16 + static_cast<uint32_t>(digit);
      }
      i += 4;
      if (code >= 0xD800 && code < 0xDC00) {
        high_surrogate = code;
      } else if (code >= 0xDC00 && code < 0xE000 && high_surrogate != 0) {
        append_code_point(value, 0x10000 + ((high_surrogate - 0xD800) << 10) + (code - 0xDC00));
        high_surrogate = 0;
      } else {
        append_code_point(value, code);
      }
    }
    push(TokenKind::kString, begin, std::move(value));
    return true;
  }

  bool number() {
    size_t begin = at_;
    TokenKind kind = TokenKind::kInteger;
    while (is_digit(peek())) ++at_;
    if (peek() == '.') {
      kind = TokenKind::kDecimal;
      ++at_;
      while (is_digit(peek())) ++at_;
    }
    if (peek() == 'e' || peek() == 'E') {
      size_t sign = peek(1) == '+' || peek(1) == '-' ? 1 : 0;
      if (!is_digit(peek(1 + sign))) return refuse(begin, at_ + 1, "the exponent has no digits");
      kind = TokenKind::kDouble;
      at_ += 1 + sign;
      while (is_digit(peek())) ++at_;
    }
    if (is_word_start(peek())) return refuse(begin, at_ + 1, "a name cannot start with a digit");
    push(kind, begin, std::string(text_.substr(begin, at_ - begin)));
    return true;
  }

  bool symbol() {
    static constexpr std::string_view kTwo[] = {"==", "<>", "!=", "<=", ">=", "||", "::", "??", "=>"};
    size_t begin = at_;
    std::string_view rest = text_.substr(at_);
    for (std::string_view two : kTwo) {
      if (rest.starts_with(two)) {
        at_ += 2;
        push(TokenKind::kSymbol, begin, std::string(two));
        return true;
      }
    }
    if (std::string_view("+-*/%=<>()[],.?:").find(rest[0]) == std::string_view::npos) {
      return refuse(begin, begin + 1, fmt::format("unexpected character `{}`", rest[0]));
    }
    ++at_;
    push(TokenKind::kSymbol, begin, std::string(1, rest[0]));
    return true;
  }

  std::string_view text_;
  size_t at_ = 0;
  std::vector<Token> tokens_;
  ExprError error_;
};

}  // namespace

std::string to_upper_ascii(std::string_view text) {
  std::string upper(text);
  for (char& c : upper) {
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
  }
  return upper;
}

ExprResult<std::vector<Token>> tokenize_expression(std::string_view text) { return Lexer(text).run(); }

}  // namespace millrace
