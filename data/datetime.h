// Dates and times on the proleptic Gregorian calendar: civil fields from days and milliseconds since 1970-01-01, text
// forms of SQL. No time zones here. Pure functions; any thread. Division is floored, so times before 1970 are right.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace millrace {

inline constexpr int64_t kMillisPerDay = 86'400'000;

inline int64_t floor_div(int64_t a, int64_t b) { return a / b - (a % b < 0 ? 1 : 0); }
/// REQUIRES: b > 0. Result in [0, b).
inline int64_t floor_mod(int64_t a, int64_t b) {
  int64_t rest = a % b;
  return rest < 0 ? rest + b : rest;
}

struct CivilDate {
  int64_t year = 1970;
  int month = 1;
  int day = 1;
};

int64_t days_from_civil(int64_t year, int month, int day);
CivilDate civil_from_days(int64_t days);
bool is_leap_year(int64_t year);
int days_in_month(int64_t year, int month);

/// Keeps the day of the month where it exists, else the last day: 2020-01-31 + 1 month = 2020-02-29.
int64_t add_months_to_days(int64_t days, int64_t months);
int64_t add_months_to_millis(int64_t millis, int64_t months);

void append_date(std::string& out, int64_t days);                          // 2020-02-29
void append_time(std::string& out, int64_t millis_of_day, int precision);  // 12:34:56[.789]
void append_timestamp(std::string& out, int64_t millis, int precision);    // date, blank, time

/// "2020-02-29", "2020-2-9", "2020-02", "2020" and dates followed by a time; blanks around. Strict about the calendar.
std::optional<int32_t> parse_date(std::string_view text);
/// "12:34:56[.789]", "12:34", "12". Milliseconds of the day.
std::optional<int32_t> parse_time(std::string_view text);
/// "2020-02-29[ 12:34:56[.123456789]]" as Flink's CAST reads it. A day beyond the month's end (up to 31) becomes the
/// last. `sub_millis` is set when non-zero digits below the millisecond were dropped.
std::optional<int64_t> parse_timestamp(std::string_view text, bool* sub_millis = nullptr);

}  // namespace millrace
