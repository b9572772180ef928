#include "data/datetime.h"

#include <algorithm>

#include "data/number_text.h"

namespace millrace {

namespace {

void append_padded(std::string& out, int64_t value, int width) {
  if (value < 0) {
    out += '-';
    value = -value;
  }
  std::string digits = std::to_string(value);
  if (static_cast<int>(digits.size()) < width) out.append(static_cast<size_t>(width) - digits.size(), '0');
  out += digits;
}

/// Reads 1..max_digits digits.
bool read_digits(std::string_view& text, size_t min_digits, size_t max_digits, int64_t& value) {
  size_t count = 0;
  value = 0;
  while (count < max_digits && count < text.size() && text[count] >= '0' && text[count] <= '9') {
    value = value * 10 + (text[count] - '0');
    ++count;
  }
  if (count < min_digits) return false;
  text.remove_prefix(count);
  return true;
}

bool read_char(std::string_view& text, char c) {
  if (text.empty() || text.front() != c) return false;
  text.remove_prefix(1);
  return true;
}

/// ".123456" after the seconds: milliseconds; digits below them are reported.
bool read_fraction(std::string_view& text, int64_t& millis, bool& sub_millis) {
  millis = 0;
  if (!read_char(text, '.')) return true;
  size_t count = 0;
  int64_t scale = 100;
  while (count < 9 && count < text.size() && text[count] >= '0' && text[count] <= '9') {
    int digit = text[count] - '0';
    if (count < 3) {
      millis += digit * scale;
      scale /= 10;
    } else if (digit != 0) {
      sub_millis = true;
    }
    ++count;
  }
  text.remove_prefix(count);
  return count > 0;
}

}  // namespace

int64_t days_from_civil(int64_t year, int month, int day) {
  // Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms".
  year -= month <= 2 ? 1 : 0;
  int64_t era = floor_div(year, 400);
  int64_t year_of_era = year - era * 400;
  int64_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
  int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
  return era * 146097 + day_of_era - 719468;
}

CivilDate civil_from_days(int64_t days) {
  days += 719468;
  int64_t era = floor_div(days, 146097);
  int64_t day_of_era = days - era * 146097;
  int64_t year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
  int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
  int64_t month_index = (5 * day_of_year + 2) / 153;
  CivilDate date;
  date.day = static_cast<int>(day_of_year - (153 * month_index + 2) / 5 + 1);
  date.month = static_cast<int>(month_index < 10 ? month_index + 3 : month_index - 9);
  date.year = year_of_era + era * 400 + (date.month <= 2 ? 1 : 0);
  return date;
}

bool is_leap_year(int64_t year) { return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0); }

int days_in_month(int64_t year, int month) {
  static constexpr int kDays[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  return month == 2 && is_leap_year(year) ? 29 : kDays[month - 1];
}

int64_t add_months_to_days(int64_t days, int64_t months) {
  CivilDate date = civil_from_days(days);
  int64_t total = date.year * 12 + (date.month - 1) + months;
  int64_t year = floor_div(total, 12);
  int month = static_cast<int>(floor_mod(total, 12)) + 1;
  return days_from_civil(year, month, std::min(date.day, days_in_month(year, month)));
}

int64_t add_months_to_millis(int64_t millis, int64_t months) {
  int64_t days = floor_div(millis, kMillisPerDay);
  return add_months_to_days(days, months) * kMillisPerDay + floor_mod(millis, kMillisPerDay);
}

void append_date(std::string& out, int64_t days) {
  CivilDate date = civil_from_days(days);
  append_padded(out, date.year, 4);
  out += '-';
  append_padded(out, date.month, 2);
  out += '-';
  append_padded(out, date.day, 2);
}

void append_time(std::string& out, int64_t millis_of_day, int precision) {
  append_padded(out, millis_of_day / 3'600'000, 2);
  out += ':';
  append_padded(out, millis_of_day / 60'000 % 60, 2);
  out += ':';
  append_padded(out, millis_of_day / 1000 % 60, 2);
  if (precision <= 0) return;
  out += '.';
  std::string fraction;
  append_padded(fraction, millis_of_day % 1000, 3);
  fraction.resize(static_cast<size_t>(precision), '0');
  out += fraction;
}

void append_timestamp(std::string& out, int64_t millis, int precision) {
  append_date(out, floor_div(millis, kMillisPerDay));
  out += ' ';
  append_time(out, floor_mod(millis, kMillisPerDay), precision);
}

std::optional<int32_t> parse_date(std::string_view text) {
  text = trim_blanks(text);
  int64_t year = 0;
  int64_t month = 1;
  int64_t day = 1;
  // A time after the date is ignored, as in Flink.
  if (size_t at = text.find_first_of(" T"); at != std::string_view::npos) text = text.substr(0, at);
  if (!read_digits(text, 1, 9, year)) return std::nullopt;
  if (!text.empty()) {
    if (!read_char(text, '-') || !read_digits(text, 1, 2, month)) return std::nullopt;
    if (!text.empty() && (!read_char(text, '-') || !read_digits(text, 1, 2, day) || !text.empty())) return std::nullopt;
  }
  if (year > 9999 || month < 1 || month > 12 || day < 1 || day > days_in_month(year, static_cast<int>(month))) {
    return std::nullopt;
  }
  return static_cast<int32_t>(days_from_civil(year, static_cast<int>(month), static_cast<int>(day)));
}

std::optional<int32_t> parse_time(std::string_view text) {
  text = trim_blanks(text);
  int64_t hour = 0;
  int64_t minute = 0;
  int64_t second = 0;
  int64_t millis = 0;
  bool sub_millis = false;
  if (!read_digits(text, 1, 2, hour)) return std::nullopt;
  if (!text.empty()) {
    if (!read_char(text, ':') || !read_digits(text, 1, 2, minute)) return std::nullopt;
    if (!text.empty()) {
      if (!read_char(text, ':') || !read_digits(text, 1, 2, second)) return std::nullopt;
      if (!read_fraction(text, millis, sub_millis) || !text.empty()) return std::nullopt;
    }
  }
  if (hour > 23 || minute > 59 || second > 59) return std::nullopt;
  return static_cast<int32_t>(hour * 3'600'000 + minute * 60'000 + second * 1000 + millis);
}

std::optional<int64_t> parse_timestamp(std::string_view text, bool* sub_millis) {
  int64_t year = 0;
  int64_t month = 0;
  int64_t day = 0;
  int64_t hour = 0;
  int64_t minute = 0;
  int64_t second = 0;
  int64_t millis = 0;
  bool dropped = false;
  if (!read_digits(text, 4, 4, year) || !read_char(text, '-') || !read_digits(text, 1, 2, month) ||
      !read_char(text, '-') || !read_digits(text, 1, 2, day)) {
    return std::nullopt;
  }
  if (!text.empty()) {
    if (!read_char(text, ' ') || !read_digits(text, 1, 2, hour) || !read_char(text, ':') ||
        !read_digits(text, 1, 2, minute) || !read_char(text, ':') || !read_digits(text, 1, 2, second) ||
        !read_fraction(text, millis, dropped) || !text.empty()) {
      return std::nullopt;
    }
  }
  if (year < 1 || month < 1 || month > 12 || day < 1 || day > 31 || hour > 23 || minute > 59 || second > 59) {
    return std::nullopt;
  }
  int last = days_in_month(year, static_cast<int>(month));
  int64_t days = days_from_civil(year, static_cast<int>(month), static_cast<int>(std::min<int64_t>(day, last)));
  if (sub_millis != nullptr) *sub_millis = dropped;
  return days * kMillisPerDay + hour * 3'600'000 + minute * 60'000 + second * 1000 + millis;
}

}  // namespace millrace
