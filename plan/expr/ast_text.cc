#include "plan/expr/ast_text.h"

#include <fmt/format.h>

#include <algorithm>

namespace millrace {

namespace {

std::string quoted(std::string_view text) {
  std::string out = "'";
  for (const char c : text) {
    if (c == '\'') out.push_back('\'');
    out.push_back(c);
  }
  return out + "'";
}

/// Unscaled; the type behind it tells the scale.
std::string int128_text(__int128 value) {
  if (value == 0) return "0";
  std::string digits;
  const bool negative = value < 0;
  for (auto left = negative ? -static_cast<unsigned __int128>(value) : static_cast<unsigned __int128>(value); left > 0;
       left /= 10) {
    digits.push_back(static_cast<char>('0' + static_cast<int>(left % 10)));
  }
  if (negative) digits.push_back('-');
  std::ranges::reverse(digits);
  return digits;
}

std::string literal_text(const Ast& ast) {
  if (std::holds_alternative<std::monostate>(ast.literal)) return "NULL";
  if (const auto* flag = std::get_if<bool>(&ast.literal)) return *flag ? "TRUE" : "FALSE";
  if (const auto* text = std::get_if<std::string>(&ast.literal)) return quoted(*text);
  const bool plain = ast.type && (ast.type->kind == TypeKind::kInt || ast.type->kind == TypeKind::kBigInt ||
                                  ast.type->kind == TypeKind::kDouble);
  const std::string suffix = plain || !ast.type ? "" : ":" + ast.type->to_string();
  if (const auto* number = std::get_if<int64_t>(&ast.literal)) return fmt::format("{}{}", *number, suffix);
  if (const auto* number = std::get_if<double>(&ast.literal)) return fmt::format("{}{}", *number, suffix);
  return int128_text(std::get<__int128>(ast.literal)) + suffix;
}

std::string list_text(const std::vector<AstPtr>& args) {
  std::string out;
  for (const AstPtr& arg : args) out += (out.empty() ? "" : ", ") + (arg ? ast_text(*arg) : std::string("-"));
  return out;
}

std::string call_text(const Ast& ast) {
  const bool infix = ast.args.size() == 2 && !ast.name.empty() && ast.args[0] && ast.args[1] &&
                     (std::string_view("+-*/%=<>|").find(ast.name[0]) != std::string_view::npos || ast.name == "AND" ||
                      ast.name == "OR");
  if (infix) return fmt::format("({} {} {})", ast_text(*ast.args[0]), ast.name, ast_text(*ast.args[1]));
  std::string out =
      fmt::format("{}({}{})", ast.name, ast.distinct ? "DISTINCT " : "", ast.star ? "*" : list_text(ast.args));
  if (ast.filter) out += fmt::format(" FILTER (WHERE {})", ast_text(*ast.filter));
  return out;
}

}  // namespace

std::string ast_text(const Ast& ast) {
  switch (ast.kind) {
    case AstKind::kLiteral:
      return literal_text(ast);
    case AstKind::kName: {
      std::string out;
      for (const std::string& part : ast.path) out += (out.empty() ? "" : ".") + part;
      return out;
    }
    case AstKind::kParameter:
      return "$" + ast.name;
    case AstKind::kCall:
      return call_text(ast);
    case AstKind::kCase:
      return "CASE(" + list_text(ast.args) + ")";
    case AstKind::kCast:
      return fmt::format("{}({} AS {})", ast.try_cast ? "TRY_CAST" : "CAST", ast_text(*ast.args[0]),
                         ast.type->to_string());
    case AstKind::kField:
      return ast_text(*ast.args[0]) + "." + ast.name;
  }
  return {};
}

}  // namespace millrace
