// INTERVAL '1 02:03:04.567' DAY TO SECOND and its kin.
#include <fmt/format.h>

#include <array>
#include <optional>

#include "plan/expr/parser.h"

namespace millrace {

namespace {

struct IntervalUnit {
  std::string_view name;
  int64_t factor;  // milliseconds or months
  char separator;  // before this part
  int64_t max;     // of a part that is not the first
};
constexpr std::array<IntervalUnit, 4> kDayTimeUnits = {{{"DAY", 86'400'000, ' ', 0},
                                                        {"HOUR", 3'600'000, ' ', 23},
                                                        {"MINUTE", 60'000, ':', 59},
                                                        {"SECOND", 1000, ':', 59}}};
constexpr std::array<IntervalUnit, 2> kYearMonthUnits = {{{"YEAR", 12, ' ', 0}, {"MONTH", 1, '-', 11}}};

bool read_part(std::string_view& text, int64_t& value) {
  size_t count = 0;
  value = 0;
  while (count < text.size() && count < 12 && text[count] >= '0' && text[count] <= '9') {
    value = value * 10 + (text[count] - '0');
    ++count;
  }
  text.remove_prefix(count);
  return count > 0;
}

/// ".567" in milliseconds; finer digits that are not zero are refused.
bool read_fraction_millis(std::string_view& text, int64_t& millis) {
  int64_t scale = 100;
  millis = 0;
  if (text.empty() || text[0] != '.') return true;
  text.remove_prefix(1);
  size_t count = 0;
  for (; count < text.size() && text[count] >= '0' && text[count] <= '9'; ++count) {
    if (scale == 0 && text[count] != '0') return false;
    millis += (text[count] - '0') * scale;
    scale /= 10;
  }
  text.remove_prefix(count);
  return count > 0;
}

template <size_t N>
std::optional<int64_t> read_interval(std::string_view text, const std::array<IntervalUnit, N>& units, size_t from,
                                     size_t to) {
  bool negative = false;
  if (!text.empty() && (text[0] == '-' || text[0] == '+')) {
    negative = text[0] == '-';
    text.remove_prefix(1);
  }
  int64_t total = 0;
  for (size_t i = from; i <= to; ++i) {
    if (i > from) {
      if (text.empty() || text[0] != units[i].separator) return std::nullopt;
      text.remove_prefix(1);
    }
    int64_t part = 0;
    if (!read_part(text, part) || (i > from && part > units[i].max)) return std::nullopt;
    if (part > 100'000'000'000) return std::nullopt;
    total += part * units[i].factor;
    if (units[i].name == "SECOND") {
      int64_t millis = 0;
      if (!read_fraction_millis(text, millis)) return std::nullopt;
      total += millis;
    }
  }
  if (!text.empty()) return std::nullopt;
  return negative ? -total : total;
}

template <size_t N>
std::optional<size_t> unit_index(const std::array<IntervalUnit, N>& units, std::string_view name) {
  for (size_t i = 0; i < N; ++i) {
    if (units[i].name == name) return i;
  }
  return std::nullopt;
}

std::optional<int64_t> interval_value(std::string_view text, std::string_view first, std::string_view last,
                                      bool& months) {
  if (first == "WEEK" || first == "QUARTER") {
    if (last != first) return std::nullopt;
    months = first == "QUARTER";
    std::optional<int64_t> count = read_interval(text, kYearMonthUnits, 1, 1);
    if (!count) return std::nullopt;
    return *count * (months ? 3 : 7 * 86'400'000);
  }
  auto from = unit_index(kYearMonthUnits, first);
  auto to = unit_index(kYearMonthUnits, last);
  months = from.has_value();
  if (from && to && *from <= *to) return read_interval(text, kYearMonthUnits, *from, *to);
  from = unit_index(kDayTimeUnits, first);
  to = unit_index(kDayTimeUnits, last);
  if (from && to && *from <= *to) return read_interval(text, kDayTimeUnits, *from, *to);
  return std::nullopt;
}

}  // namespace

AstPtr ExpressionParser::parse_interval() {
  Node made = node(AstKind::kLiteral, token().begin);
  advance();
  bool negative = take_symbol("-");
  if (!negative) take_symbol("+");
  const Token text = token();
  if (text.kind != TokenKind::kString) return fail(text, "expected a text after INTERVAL, as in INTERVAL '1' DAY");
  advance();
  auto read_unit = [this](std::string& unit) {
    if (token().kind != TokenKind::kWord || !is_time_unit(token().upper, unit)) {
      fail(token(), "expected a unit such as DAY, HOUR or MONTH");
      return false;
    }
    advance();
    if (take_symbol("(")) {  // a precision says only how it is displayed
      while (!failed_ && !take_symbol(")")) {
        if (token().kind == TokenKind::kEnd) fail(token(), "expected `)` after the precision");
        advance();
      }
    }
    return !failed_;
  };
  std::string first;
  if (!read_unit(first)) return nullptr;
  std::string last = first;
  std::string unit;
  if (token().is_word("TO") && token(1).kind == TokenKind::kWord && is_time_unit(token(1).upper, unit)) {
    advance();
    if (!read_unit(last)) return nullptr;
  }
  bool months = false;
  auto value = interval_value(text.text, first, last, months);
  if (!value) {
    return fail(text, fmt::format("not an interval of {}{}", first, last == first ? "" : fmt::format(" TO {}", last)));
  }
  made->type = make_temporal(months ? TypeKind::kIntervalMonths : TypeKind::kIntervalMillis, months ? 0 : 3, false);
  made->literal = negative ? -*value : *value;
  return seal(std::move(made));
}

}  // namespace millrace
