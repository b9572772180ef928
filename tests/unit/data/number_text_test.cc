#include "data/number_text.h"

#include <catch2/catch.hpp>
#include <cmath>
#include <limits>

using namespace millrace;

namespace {

std::string java_digits(double value) {
  std::string out;
  append_java_double(out, value);
  return out;
}

std::string json_digits(double value) {
  std::string out;
  append_json_double(out, value);
  return out;
}

}  // namespace

TEST_CASE("doubles are written as Java writes them") {
  CHECK(java_digits(1.5) == "1.5");
  CHECK(java_digits(100) == "100.0");
  CHECK(java_digits(-0.0) == "-0.0");
  CHECK(java_digits(1e7) == "1.0E7");
  CHECK(java_digits(9999999.0) == "9999999.0");
  CHECK(java_digits(0.001) == "0.001");
  CHECK(java_digits(1e-5) == "1.0E-5");
  CHECK(java_digits(1.25e300) == "1.25E300");
  CHECK(java_digits(std::nan("")) == "NaN");
  CHECK(java_digits(-std::numeric_limits<double>::infinity()) == "-Infinity");
  std::string single;
  append_java_float(single, 0.1f);
  CHECK(single == "0.1");
}

TEST_CASE("doubles in JSON always look like floating point and stay valid JSON") {
  CHECK(json_digits(1) == "1.0");
  CHECK(json_digits(0.1) == "0.1");
  CHECK(json_digits(1e300) == "1e+300");
  CHECK(json_digits(std::nan("")).front() == '"');
  CHECK(json_digits(std::numeric_limits<double>::infinity()).front() == '"');
}

TEST_CASE("what is written reads back as the same number") {
  for (double value : {0.1, 1.0 / 3, 1e-310, 1.7976931348623157e308, -123456789.125, 5e-324}) {
    CHECK(parse_double(java_digits(value)) == value);
    CHECK(parse_double(json_digits(value)) == value);
  }
}

TEST_CASE("numbers are read as a whole or not at all") {
  CHECK(parse_double("1e7") == 1e7);
  CHECK(parse_double("-1.5d") == -1.5);
  CHECK(parse_double("-Infinity") == -std::numeric_limits<double>::infinity());
  CHECK(std::isnan(*parse_double("NaN")));
  for (const char* text : {"", "x", "1x", "1 ", " 1", "--1", "1e", "."}) {
    CAPTURE(text);
    CHECK_FALSE(parse_double(text).has_value());
  }
  CHECK(parse_int64("-9223372036854775808") == std::numeric_limits<int64_t>::min());
  CHECK(parse_int64("+7") == 7);
  for (const char* text : {"", "9223372036854775808", "1.0", "7 ", "+", "+-7"}) {
    CAPTURE(text);
    CHECK_FALSE(parse_int64(text).has_value());
  }
  CHECK(trim_blanks(" \t a b \n") == "a b");
  CHECK(trim_blanks("   ").empty());
}
