#include "connectors/text/time_text.h"

#include "data/datetime.h"

namespace millrace {
namespace {

struct TimeFields {
  int64_t year = 1970;
  int month = 1;
  int day = 1;
  int hour = 0;
  int minute = 0;
  int second = 0;
  int millis = 0;
  int64_t offset_ms = 0;
  bool half_day = false;  // hour counts 1 to 12
  bool afternoon = false;
};

/// Reads exactly `digits` digits.
bool take_digits(std::string_view& text, int digits, int& value) {
  if (text.size() < static_cast<size_t>(digits)) return false;
  value = 0;
  for (int i = 0; i < digits; ++i) {
    const char c = text[static_cast<size_t>(i)];
    if (c < '0' || c > '9') return false;
    value = value * 10 + (c - '0');
  }
  text.remove_prefix(static_cast<size_t>(digits));
  return true;
}

bool take_char(std::string_view& text, char c) {
  if (text.empty() || text.front() != c) return false;
  text.remove_prefix(1);
  return true;
}

/// 1 to 9 digits behind a point, as milliseconds.
bool take_fraction(std::string_view& text, int& millis) {
  int digits = 0;
  millis = 0;
  while (!text.empty() && text.front() >= '0' && text.front() <= '9') {
    if (digits < 3) millis = millis * 10 + (text.front() - '0');
    ++digits;
    text.remove_prefix(1);
  }
  for (int i = digits; i < 3; ++i) millis *= 10;
  return digits >= 1 && digits <= 9;
}

/// "Z", "+02", "+0200", "+02:00".
bool take_offset(std::string_view& text, int64_t& offset_ms) {
  offset_ms = 0;
  if (take_char(text, 'Z') || take_char(text, 'z')) return true;
  if (text.empty() || (text.front() != '+' && text.front() != '-')) return false;
  const bool negative = text.front() == '-';
  text.remove_prefix(1);
  int hours = 0;
  int minutes = 0;
  if (!take_digits(text, 2, hours)) return false;
  const bool colon = take_char(text, ':');
  if ((colon || !text.empty()) && !take_digits(text, 2, minutes)) return false;
  if (hours > 18 || minutes > 59) return false;
  offset_ms = (hours * 60 + minutes) * 60'000LL * (negative ? -1 : 1);
  return true;
}

std::optional<int64_t> millis_of(TimeFields f) {
  if (f.half_day) {
    if (f.hour < 1 || f.hour > 12) return std::nullopt;
    f.hour = f.hour % 12 + (f.afternoon ? 12 : 0);
  }
  if (f.month < 1 || f.month > 12 || f.day < 1 || f.day > days_in_month(f.year, f.month)) return std::nullopt;
  if (f.hour > 23 || f.minute > 59 || f.second > 59) return std::nullopt;
  const int64_t seconds = (f.hour * 60LL + f.minute) * 60 + f.second;
  return days_from_civil(f.year, f.month, f.day) * kMillisPerDay + seconds * 1000 + f.millis - f.offset_ms;
}

}  // namespace

std::optional<int64_t> parse_iso_millis(std::string_view text) {
  TimeFields f;
  int year = 0;
  if (!take_digits(text, 4, year) || !take_char(text, '-') || !take_digits(text, 2, f.month) || !take_char(text, '-') ||
      !take_digits(text, 2, f.day))
    return std::nullopt;
  f.year = year;
  if (!text.empty()) {
    if (text.front() != 'T' && text.front() != 't' && text.front() != ' ') return std::nullopt;
    text.remove_prefix(1);
    if (!take_digits(text, 2, f.hour) || !take_char(text, ':') || !take_digits(text, 2, f.minute)) return std::nullopt;
    if (take_char(text, ':')) {
      if (!take_digits(text, 2, f.second)) return std::nullopt;
      if ((take_char(text, '.') || take_char(text, ',')) && !take_fraction(text, f.millis)) return std::nullopt;
    }
    if (text.size() > 1 && text.front() == ' ') text.remove_prefix(1);
    if (!text.empty() && !take_offset(text, f.offset_ms)) return std::nullopt;
    if (!text.empty()) return std::nullopt;
  }
  return millis_of(f);
}

Result<TimePattern> TimePattern::compile(std::string_view pattern) {
  TimePattern compiled;
  for (size_t i = 0; i < pattern.size();) {
    const char c = pattern[i];
    Part part;
    if (c == '\'') {
      const size_t close = pattern.find('\'', i + 1);
      if (close == std::string_view::npos)
        return make_error(ErrorCode::kBadValue,
                          "the quote in the time pattern `" + std::string(pattern) + "` is not closed");
      part.literal = close == i + 1 ? "'" : std::string(pattern.substr(i + 1, close - i - 1));
      i = close + 1;
    } else if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')) {
      if (std::string_view("yuMdHhmsSaXxZ").find(c) == std::string_view::npos)
        return make_error(ErrorCode::kBadValue,
                          "the letter `" + std::string(1, c) + "` of the time pattern `" + std::string(pattern) +
                              "` is not supported",
                          "y M d H h m s S a X Z are; other letters belong between quotes");
      part.letter = c;
      while (i < pattern.size() && pattern[i] == c) ++part.width, ++i;
    } else {
      part.literal = std::string(1, c);
      ++i;
    }
    compiled.parts_.push_back(std::move(part));
  }
  if (compiled.parts_.empty()) return make_error(ErrorCode::kBadValue, "the time pattern is empty");
  return compiled;
}

namespace {

/// A number of `width` digits; a width of 1 takes as many as there are (at most `most`).
bool take_field(std::string_view& text, int width, int most, int& value) {
  if (width > 1) return take_digits(text, width, value);
  int digits = 0;
  while (digits < most && static_cast<size_t>(digits) < text.size() && text[static_cast<size_t>(digits)] >= '0' &&
         text[static_cast<size_t>(digits)] <= '9')
    ++digits;
  return digits > 0 && take_digits(text, digits, value);
}

bool take_pattern_field(std::string_view& text, char letter, int width, TimeFields& f) {
  int value = 0;
  switch (letter) {
    case 'y':
    case 'u':
      if (!take_field(text, width, 4, value)) return false;
      f.year = width == 2 ? 2000 + value : value;
      return true;
    case 'M':
      return take_field(text, width, 2, f.month);
    case 'd':
      return take_field(text, width, 2, f.day);
    case 'H':
      return take_field(text, width, 2, f.hour);
    case 'h':
      f.half_day = true;
      return take_field(text, width, 2, f.hour);
    case 'm':
      return take_field(text, width, 2, f.minute);
    case 's':
      return take_field(text, width, 2, f.second);
    case 'S': {
      if (text.size() < static_cast<size_t>(width)) return false;
      std::string_view digits = text.substr(0, static_cast<size_t>(width));
      if (!take_fraction(digits, f.millis) || !digits.empty()) return false;
      text.remove_prefix(static_cast<size_t>(width));
      return true;
    }
    case 'a': {
      if (text.size() < 2) return false;
      const std::string_view mark = text.substr(0, 2);
      f.afternoon = mark == "PM" || mark == "pm";
      text.remove_prefix(2);
      return f.afternoon || mark == "AM" || mark == "am";
    }
    default:
      return take_offset(text, f.offset_ms);
  }
}

}  // namespace

std::optional<int64_t> TimePattern::parse(std::string_view text) const {
  TimeFields f;
  for (const Part& part : parts_) {
    if (part.letter == 0) {
      if (!text.starts_with(part.literal)) return std::nullopt;
      text.remove_prefix(part.literal.size());
    } else if (!take_pattern_field(text, part.letter, part.width, f)) {
      return std::nullopt;
    }
  }
  if (!text.empty()) return std::nullopt;
  return millis_of(f);
}

}  // namespace millrace
