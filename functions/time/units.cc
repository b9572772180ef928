#include "functions/time/units.h"

#include <algorithm>
#include <utility>

#include "data/datetime.h"

namespace millrace {

namespace {

/// 1 = Monday … 7 = Sunday.
int64_t iso_weekday(int64_t days) { return floor_mod(days + 3, 7) + 1; }

/// ISO 8601 week-numbering year and week.
std::pair<int64_t, int64_t> iso_week(int64_t days) {
  // The week's Thursday decides the year.
  int64_t thursday = days - iso_weekday(days) + 4;
  int64_t year = civil_from_days(thursday).year;
  return {year, (thursday - days_from_civil(year, 1, 1)) / 7 + 1};
}

int64_t days_months_between(int64_t from_days, int64_t to_days) {
  if (to_days < from_days) return -days_months_between(to_days, from_days);
  int64_t months = (to_days - from_days) / 31;  // never too many
  while (add_months_to_days(from_days, months) < to_days && add_months_to_days(from_days, months + 1) <= to_days)
    ++months;
  return months;
}

}  // namespace

int64_t months_between(int64_t from_millis, int64_t to_millis) {
  // As Calcite's DateTimeUtils.subtractMonths, which Flink uses.
  int64_t from_days = floor_div(from_millis, kMillisPerDay);
  int64_t to_days = floor_div(to_millis, kMillisPerDay);
  int64_t months = days_months_between(from_days, to_days);
  bool same_day = add_months_to_days(from_days, months) == to_days;
  if (same_day && floor_mod(to_millis, kMillisPerDay) < floor_mod(from_millis, kMillisPerDay)) --months;
  return months;
}

std::optional<int64_t> fixed_unit_millis(std::string_view unit) {
  if (unit == "MILLISECOND") return 1;
  if (unit == "SECOND") return 1000;
  if (unit == "MINUTE") return 60'000;
  if (unit == "HOUR") return 3'600'000;
  if (unit == "DAY") return kMillisPerDay;
  if (unit == "WEEK") return 7 * kMillisPerDay;
  return std::nullopt;
}

std::optional<int64_t> unit_months(std::string_view unit) {
  if (unit == "MONTH") return 1;
  if (unit == "QUARTER") return 3;
  if (unit == "YEAR") return 12;
  if (unit == "DECADE") return 120;
  if (unit == "CENTURY") return 1200;
  if (unit == "MILLENNIUM") return 12'000;
  return std::nullopt;
}

std::optional<int64_t> floor_to_unit(int64_t millis, std::string_view unit) {
  int64_t days = floor_div(millis, kMillisPerDay);
  if (unit == "WEEK") return (days - floor_mod(iso_weekday(days), 7)) * kMillisPerDay;
  if (auto length = fixed_unit_millis(unit)) return floor_div(millis, *length) * *length;
  CivilDate date = civil_from_days(days);
  int64_t year = date.year;
  int month = 1;
  if (unit == "MONTH") {
    month = date.month;
  } else if (unit == "QUARTER") {
    month = (date.month - 1) / 3 * 3 + 1;
  } else if (unit == "DECADE") {
    year = floor_div(year, 10) * 10;
  } else if (unit == "CENTURY") {
    year = floor_div(year - 1, 100) * 100 + 1;
  } else if (unit == "MILLENNIUM") {
    year = floor_div(year - 1, 1000) * 1000 + 1;
  } else if (unit != "YEAR") {
    return std::nullopt;
  }
  return days_from_civil(year, month, 1) * kMillisPerDay;
}

std::optional<int64_t> ceil_to_unit(int64_t millis, std::string_view unit) {
  auto start = floor_to_unit(millis, unit);
  if (!start || *start == millis) return start;
  if (auto length = fixed_unit_millis(unit)) return *start + *length;
  return add_months_to_millis(*start, *unit_months(unit));
}

bool is_extract_unit(std::string_view unit) { return extract_unit(0, unit).has_value(); }

std::optional<int64_t> extract_unit(int64_t millis, std::string_view unit) {
  int64_t days = floor_div(millis, kMillisPerDay);
  int64_t of_day = floor_mod(millis, kMillisPerDay);
  if (unit == "HOUR") return of_day / 3'600'000;
  if (unit == "MINUTE") return of_day / 60'000 % 60;
  if (unit == "SECOND") return of_day / 1000 % 60;
  // Within the second only (unlike PostgreSQL, which counts the seconds in).
  if (unit == "MILLISECOND") return of_day % 1000;
  if (unit == "MICROSECOND") return of_day % 1000 * 1000;
  if (unit == "NANOSECOND") return of_day % 1000 * 1'000'000;
  if (unit == "EPOCH") return millis / 1000;
  CivilDate date = civil_from_days(days);
  if (unit == "YEAR") return date.year;
  if (unit == "QUARTER") return (date.month - 1) / 3 + 1;
  if (unit == "MONTH") return date.month;
  if (unit == "DAY") return date.day;
  if (unit == "DOY") return days - days_from_civil(date.year, 1, 1) + 1;
  if (unit == "DOW") return iso_weekday(days) % 7 + 1;
  if (unit == "ISODOW") return iso_weekday(days);
  if (unit == "WEEK") return iso_week(days).second;
  if (unit == "ISOYEAR") return iso_week(days).first;
  if (unit == "DECADE") return floor_div(date.year, 10);
  if (unit == "CENTURY") return date.year > 0 ? (date.year + 99) / 100 : (date.year - 99) / 100;
  if (unit == "MILLENNIUM") return date.year > 0 ? (date.year + 999) / 1000 : (date.year - 999) / 1000;
  return std::nullopt;
}

}  // namespace millrace
