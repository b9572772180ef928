#include "data/datetime.h"

#include <catch2/catch.hpp>

#include "data/number_text.h"

namespace millrace {

namespace {

std::string shown_timestamp(int64_t millis, int precision) {
  std::string text;
  append_timestamp(text, millis, precision);
  return text;
}

std::string java_text(double value) {
  std::string text;
  append_java_double(text, value);
  return text;
}

}  // namespace

TEST_CASE("times before 1970 are floored, not truncated") {
  CHECK(shown_timestamp(-1500, 3) == "1969-12-31 23:59:58.500");
  CHECK(shown_timestamp(0, 0) == "1970-01-01 00:00:00");
  CHECK(days_from_civil(2020, 2, 29) == 18321);
  CivilDate date = civil_from_days(-719162);
  CHECK((date.year == 1 && date.month == 1 && date.day == 1));
}

TEST_CASE("adding months keeps the day where it exists") {
  CHECK(add_months_to_days(days_from_civil(2020, 1, 31), 1) == days_from_civil(2020, 2, 29));
  CHECK(add_months_to_days(days_from_civil(2020, 2, 29), 12) == days_from_civil(2021, 2, 28));
  CHECK(add_months_to_days(days_from_civil(2020, 3, 31), -1) == days_from_civil(2020, 2, 29));
}

TEST_CASE("timestamps are read strictly, dates by the calendar") {
  bool sub_millis = false;
  CHECK(parse_timestamp("2020-02-29 12:34:56.123456", &sub_millis) == 1582979696123);
  CHECK(sub_millis);
  CHECK_FALSE(parse_timestamp("2020-02-29T12:34:56"));
  CHECK_FALSE(parse_timestamp("2020-02-29 12:34"));
  CHECK(parse_date("2020-2-9") == days_from_civil(2020, 2, 9));
  CHECK_FALSE(parse_date("2019-02-29"));
  CHECK(parse_time("12:34") == 45240000);
}

TEST_CASE("doubles have Java's text") {
  CHECK(java_text(100) == "100.0");
  CHECK(java_text(1e7) == "1.0E7");
  CHECK(java_text(1e-5) == "1.0E-5");
  CHECK(java_text(0.001) == "0.001");
  CHECK(java_text(123456789.123) == "1.23456789123E8");
  CHECK(parse_double("1e3") == 1000.0);
  CHECK_FALSE(parse_double("inf"));
  CHECK_FALSE(parse_double("1.5x"));
}

}  // namespace millrace
