#include "plan/option_text.h"

#include <array>
#include <charconv>
#include <utility>

namespace millrace {

namespace {

struct Unit {
  std::string_view name;
  int64_t factor;
};

constexpr std::array<Unit, 5> kDurationUnits{
    {{"d", 86'400'000}, {"h", 3'600'000}, {"m", 60'000}, {"s", 1'000}, {"ms", 1}}};
constexpr std::array<Unit, 9> kByteUnits{{{"B", 1},
                                          {"KB", 1'000},
                                          {"MB", 1'000'000},
                                          {"GB", 1'000'000'000},
                                          {"TB", 1'000'000'000'000},
                                          {"KiB", 1LL << 10},
                                          {"MiB", 1LL << 20},
                                          {"GiB", 1LL << 30},
                                          {"TiB", 1LL << 40}}};

bool option_digit(char c) { return c >= '0' && c <= '9'; }

/// Takes a number and its unit off the front of `text`.
template <size_t N>
std::optional<int64_t> take_amount(std::string_view& text, const std::array<Unit, N>& units) {
  int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || text.empty() || !option_digit(text.front())) return std::nullopt;
  text.remove_prefix(static_cast<size_t>(end - text.data()));
  size_t letters = 0;
  while (letters < text.size() && !option_digit(text[letters])) ++letters;
  for (const Unit& unit : units) {
    if (unit.name != text.substr(0, letters)) continue;
    text.remove_prefix(letters);
    int64_t product = 0;
    if (__builtin_mul_overflow(number, unit.factor, &product)) return std::nullopt;
    return product;
  }
  return std::nullopt;
}

}  // namespace

std::optional<int64_t> parse_duration(std::string_view text) {
  if (text == "0") return 0;
  const bool negative = text.starts_with('-');
  if (negative) text.remove_prefix(1);
  if (text.empty()) return std::nullopt;
  int64_t total = 0;
  while (!text.empty()) {
    const std::optional<int64_t> part = take_amount(text, kDurationUnits);
    if (!part || __builtin_add_overflow(total, *part, &total)) return std::nullopt;
  }
  return negative ? -total : total;
}

std::optional<int64_t> parse_bytes(std::string_view text) {
  if (text == "0") return 0;
  const std::optional<int64_t> bytes = take_amount(text, kByteUnits);
  return text.empty() ? bytes : std::nullopt;
}

std::string format_duration(int64_t ms) {
  if (ms == 0) return "0s";
  std::string out = ms < 0 ? "-" : "";
  auto rest = ms < 0 ? 0 - static_cast<uint64_t>(ms) : static_cast<uint64_t>(ms);
  for (const Unit& unit : kDurationUnits) {
    const auto factor = static_cast<uint64_t>(unit.factor);
    if (rest < factor) continue;
    out += std::to_string(rest / factor);
    out += unit.name;
    rest %= factor;
  }
  return out;
}

}  // namespace millrace
