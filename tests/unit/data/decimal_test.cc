#include "data/decimal.h"

#include <catch2/catch.hpp>

namespace millrace {

namespace {

int128 decimal_of(std::string_view text, int precision, int scale) {
  int128 value = 0;
  REQUIRE(decimal_parse(text, precision, scale, value) == DecimalParse::kOk);
  return value;
}

}  // namespace

TEST_CASE("DECIMAL text is read exactly and rounded half up") {
  CHECK(decimal_of("12345.675", 10, 2) == 1234568);
  CHECK(decimal_of("-0.005", 10, 2) == -1);
  CHECK(decimal_of("1e2", 10, 2) == 10000);
  CHECK(decimal_of(".5", 2, 1) == 5);
  int128 value = 0;
  CHECK(decimal_parse("99999999.995", 10, 2, value) == DecimalParse::kOverflow);
  CHECK(decimal_parse("1.2.3", 10, 2, value) == DecimalParse::kMalformed);
  CHECK(decimal_parse("", 10, 2, value) == DecimalParse::kMalformed);
  CHECK(decimal_parse("1e-400", 10, 2, value) == DecimalParse::kOk);
  CHECK(value == 0);
}

TEST_CASE("38 digits survive text and arithmetic") {
  int128 most = decimal_of("99999999999999999999999999999999999999", 38, 0);
  CHECK(decimal_to_string(most, 0) == "99999999999999999999999999999999999999");
  CHECK(decimal_to_string(-most, 38) == "-0.99999999999999999999999999999999999999");
  int128 out = 0;
  CHECK_FALSE(decimal_add(most, 0, 1, 0, 38, 0, out));
  CHECK(decimal_subtract(most, 0, 1, 0, 38, 0, out));
  CHECK(decimal_to_string(out, 0) == "99999999999999999999999999999999999998");
  // Wider than 128 bits in between.
  CHECK(decimal_multiply(most, 38, most, 38, 38, 6, out));
  CHECK(decimal_to_string(out, 6) == "1.000000");
  CHECK(decimal_divide(most, 38, most, 0, 38, 38, out));
  CHECK(decimal_to_string(out, 38) == "0.00000000000000000000000000000000000001");
}

TEST_CASE("division rounds half up once") {
  int128 out = 0;
  CHECK(decimal_divide(1, 0, 3, 0, 38, 6, out));
  CHECK(out == 333333);
  CHECK(decimal_divide(-2, 0, 3, 0, 38, 6, out));
  CHECK(out == -666667);
  CHECK(decimal_modulo(-75, 1, 2, 0, 2, 1, out));
  CHECK(out == -15);
}

TEST_CASE("doubles become DECIMAL through their shortest digits") {
  int128 out = 0;
  CHECK(decimal_from_double(5.555, 10, 2, out));
  CHECK(out == 556);
  CHECK_FALSE(decimal_from_double(1e20, 10, 2, out));
  CHECK(decimal_to_double(1234567, 2) == 12345.67);
}

TEST_CASE("values of different scale compare by size") {
  CHECK(decimal_compare(110, 2, 11, 1) == 0);
  CHECK(decimal_compare(1, 0, 11, 1) == -1);
  CHECK(decimal_compare(decimal_of("9e37", 38, 0), 0, 1, 38) == 1);
}

}  // namespace millrace
