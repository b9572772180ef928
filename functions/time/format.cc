#include "functions/time/format.h"

#include <fmt/format.h>

#include <algorithm>

#include "data/datetime.h"
#include "functions/time/units.h"

namespace millrace {

namespace {

constexpr std::string_view kMonthNames[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                            "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
constexpr std::string_view kDayNames[] = {"Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"};

bool is_format_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

bool letter_supported(char letter, int width, FormatStyle style) {
  switch (letter) {
    case 'y':
    case 'u':
      return (letter == 'y' || style == FormatStyle::kStrict) && (width <= 4);
    // Longer names come out short in Flink's locale; SimpleDateFormat's are not known to.
    case 'M':
      return width <= (style == FormatStyle::kStrict ? 4 : 3);
    case 'E':
      return width <= (style == FormatStyle::kStrict ? 4 : 3);
    case 'd':
    case 'H':
    case 'h':
    case 'K':
    case 'k':
    case 'm':
    case 's':
      return width <= 2;
    case 'D':
      return width <= 3;
    case 'S':
      return width <= 9;
    case 'a':
      return width == 1;
    case 'Q':
      return width <= 2 && style == FormatStyle::kStrict;
    default:
      return false;
  }
}

bool numeric_field(char letter, int width) {
  return letter != 0 && letter != 'a' && letter != 'E' && !(letter == 'M' && width >= 3);
}

/// 1..max digits.
bool take_digits(std::string_view& text, size_t least, size_t most, int64_t& value) {
  size_t count = 0;
  value = 0;
  while (count < most && count < text.size() && text[count] >= '0' && text[count] <= '9') {
    value = value * 10 + (text[count++] - '0');
  }
  if (count < least) return false;
  text.remove_prefix(count);
  return true;
}

}  // namespace

struct TimeFormat::Parsed {
  int64_t year = 1970;
  int64_t month = 1;
  int64_t day = 1;
  int64_t hour = 0;
  int64_t half_hour = -1;  // of h and K
  int64_t minute = 0;
  int64_t second = 0;
  int64_t millis = 0;
  bool afternoon = false;
};

Result<TimeFormat> TimeFormat::compile(std::string_view pattern, FormatStyle style) {
  TimeFormat format;
  format.style_ = style;
  auto literal = [&](char c) {
    if (format.fields_.empty() || format.fields_.back().letter != 0) format.fields_.push_back({0, 0, ""});
    format.fields_.back().text += c;
  };
  for (size_t i = 0; i < pattern.size();) {
    char c = pattern[i];
    if (c == '\'') {
      if (i + 1 < pattern.size() && pattern[i + 1] == '\'') {
        literal('\'');
        i += 2;
        continue;
      }
      size_t close = pattern.find('\'', i + 1);
      if (close == std::string_view::npos) {
        return make_error(ErrorCode::kTypeMismatch, fmt::format("the quote in the format '{}' is not closed", pattern));
      }
      for (size_t k = i + 1; k < close; ++k) literal(pattern[k]);
      i = close + 1;
      continue;
    }
    if (!is_format_letter(c)) {
      if (style == FormatStyle::kStrict && std::string_view("[]{}#").find(c) != std::string_view::npos) {
        return make_error(ErrorCode::kNotSupportedYet,
                          fmt::format("`{}` in the format '{}' is not supported", c, pattern));
      }
      literal(c);
      ++i;
      continue;
    }
    int width = 0;
    while (i < pattern.size() && pattern[i] == c) {
      ++width;
      ++i;
    }
    char letter = c == 'L' ? 'M' : c;
    if (!letter_supported(letter, width, style)) {
      return make_error(ErrorCode::kNotSupportedYet, fmt::format("`{}` in the format '{}' is not supported",
                                                                 std::string(static_cast<size_t>(width), c), pattern));
    }
    format.fields_.push_back({letter, width, ""});
  }
  return format;
}

void TimeFormat::append(std::string& out, int64_t millis) const {
  int64_t days = floor_div(millis, kMillisPerDay);
  int64_t of_day = floor_mod(millis, kMillisPerDay);
  CivilDate date = civil_from_days(days);
  int64_t hour = of_day / 3'600'000;
  for (const Field& field : fields_) {
    auto number = [&](int64_t value) { out += fmt::format("{:0{}}", value, field.width); };
    switch (field.letter) {
      case 0:
        out += field.text;
        break;
      case 'y':
      case 'u':
        if (field.width == 2)
          number(floor_mod(date.year, 100));
        else
          number(date.year);
        break;
      case 'M':
        if (field.width >= 3)
          out += kMonthNames[date.month - 1];
        else
          number(date.month);
        break;
      case 'E':
        out += kDayNames[floor_mod(days + 3, 7)];
        break;
      case 'd':
        number(date.day);
        break;
      case 'D':
        number(*extract_unit(millis, "DOY"));
        break;
      case 'Q':
        number((date.month - 1) / 3 + 1);
        break;
      case 'H':
        number(hour);
        break;
      case 'k':
        number(hour == 0 ? 24 : hour);
        break;
      case 'K':
        number(hour % 12);
        break;
      case 'h':
        number(hour % 12 == 0 ? 12 : hour % 12);
        break;
      case 'm':
        number(of_day / 60'000 % 60);
        break;
      case 's':
        number(of_day / 1000 % 60);
        break;
      case 'a':
        out += hour < 12 ? "AM" : "PM";
        break;
      case 'S':
        if (style_ == FormatStyle::kLenient) {
          number(of_day % 1000);
        } else {  // digits of the fraction
          std::string digits = fmt::format("{:03}000000", of_day % 1000);
          out += digits.substr(0, static_cast<size_t>(field.width));
        }
        break;
      default:
        break;
    }
  }
}

bool TimeFormat::parse_name(const Field& field, std::string_view& text, Parsed& parsed) {
  auto take_name = [&](auto& names, int64_t& index) {
    for (size_t i = 0; i < std::size(names); ++i) {
      if (!text.starts_with(names[i])) continue;
      index = static_cast<int64_t>(i);
      text.remove_prefix(names[i].size());
      return true;
    }
    return false;
  };
  int64_t index = 0;
  static constexpr std::string_view kHalves[] = {"AM", "PM"};
  if (field.letter == 'E') return take_name(kDayNames, index);
  if (field.letter == 'M') {
    if (!take_name(kMonthNames, index)) return false;
    parsed.month = index + 1;
    return true;
  }
  if (!take_name(kHalves, index)) return false;
  parsed.afternoon = index == 1;
  return true;
}

bool TimeFormat::parse_field(const Field& field, bool adjacent, std::string_view& text, Parsed& parsed) const {
  const bool strict = style_ == FormatStyle::kStrict;
  if (field.letter == 0) {
    if (!text.starts_with(field.text)) return false;
    text.remove_prefix(field.text.size());
    return true;
  }
  if (!numeric_field(field.letter, field.width)) return parse_name(field, text, parsed);
  auto width = static_cast<size_t>(field.width);
  size_t least = strict ? width : 1;
  size_t most = adjacent || (strict && width >= 2) ? width : (strict ? 2 : 9);
  bool year = field.letter == 'y' || field.letter == 'u';
  if (year && !adjacent && width != 2) most = 9;
  if (adjacent && !strict) least = width;
  if (strict && field.letter == 'D') most = 3;
  if (strict && field.letter == 'S') most = width;
  std::string_view before = text;
  int64_t value = 0;
  if (!strict) {
    while (text.starts_with(' ')) text.remove_prefix(1);
  }
  if (!take_digits(text, least, most, value)) return false;
  size_t digits = before.size() - text.size();
  switch (field.letter) {
    case 'y':
    case 'u':
      if (width == 2 && digits <= 2) value += strict ? 2000 : (value > 45 ? 1900 : 2000);
      parsed.year = value;
      break;
    case 'M':
      parsed.month = value;
      break;
    case 'd':
      parsed.day = value;
      break;
    case 'H':
      parsed.hour = value;
      break;
    case 'k':
      parsed.hour = value % 24;
      break;
    case 'h':
    case 'K':
      parsed.half_hour = value % 12;
      break;
    case 'm':
      parsed.minute = value;
      break;
    case 's':
      parsed.second = value;
      break;
    case 'S':
      if (strict) {
        for (size_t i = digits; i < 3; ++i) value *= 10;
        for (size_t i = digits; i > 3; --i) value /= 10;
      }
      parsed.millis = value;
      break;
    default:
      return false;  // D and Q do not decide a date alone
  }
  return true;
}

std::optional<int64_t> TimeFormat::parse(std::string_view text) const {
  Parsed parsed;
  for (size_t i = 0; i < fields_.size(); ++i) {
    const Field& field = fields_[i];
    bool next_numeric = i + 1 < fields_.size() && numeric_field(fields_[i + 1].letter, fields_[i + 1].width);
    bool after_numeric = i > 0 && numeric_field(fields_[i - 1].letter, fields_[i - 1].width);
    bool adjacent =
        numeric_field(field.letter, field.width) && (next_numeric || (after_numeric && style_ == FormatStyle::kStrict));
    if (!parse_field(field, adjacent, text, parsed)) return std::nullopt;
  }
  if (parsed.half_hour >= 0) parsed.hour = parsed.half_hour + (parsed.afternoon ? 12 : 0);
  if (style_ == FormatStyle::kStrict) {
    bool in_range = text.empty() && parsed.year >= 1 && parsed.month >= 1 && parsed.month <= 12 && parsed.day >= 1 &&
                    parsed.day <= 31 && parsed.hour <= 23 && parsed.minute <= 59 && parsed.second <= 59;
    if (!in_range) return std::nullopt;
    parsed.day = std::min<int64_t>(parsed.day, days_in_month(parsed.year, static_cast<int>(parsed.month)));
  }
  // Lenient fields roll over: month 13 is January of the next year.
  int64_t months = parsed.year * 12 + parsed.month - 1;
  int64_t days =
      days_from_civil(floor_div(months, 12), static_cast<int>(floor_mod(months, 12)) + 1, 1) + parsed.day - 1;
  return days * kMillisPerDay + parsed.hour * 3'600'000 + parsed.minute * 60'000 + parsed.second * 1000 + parsed.millis;
}

}  // namespace millrace
