#include <catch2/catch.hpp>

#include "plan/expr/type_rules.h"

namespace millrace {

namespace {

std::string common_of(std::string_view a, std::string_view b) {
  TypePtr common = least_restrictive(*parse_type(a), *parse_type(b));
  return common ? common->to_string() : "none";
}

bool same_shape(DecimalShape a, int precision, int scale) { return a.precision == precision && a.scale == scale; }

}  // namespace

TEST_CASE("the least restrictive type holds both") {
  CHECK(common_of("INT", "BIGINT") == "BIGINT");
  CHECK(common_of("INT", "DECIMAL(5,2)") == "DECIMAL(12, 2)");
  CHECK(common_of("DECIMAL(38,10)", "DECIMAL(38,0)") == "DECIMAL(38, 0)");
  CHECK(common_of("CHAR(2)", "CHAR(2)") == "CHAR(2)");
  CHECK(common_of("CHAR(2)", "CHAR(6)") == "VARCHAR(6)");
  CHECK(common_of("CHAR(2)", "STRING") == "STRING");
  CHECK(common_of("DATE", "TIMESTAMP(3)") == "TIMESTAMP(3)");
  CHECK(common_of("INT", "STRING") == "none");
}

TEST_CASE("between FLOAT and DOUBLE the first one stays") {
  CHECK(common_of("FLOAT", "DOUBLE") == "FLOAT");
  CHECK(common_of("DOUBLE", "FLOAT") == "DOUBLE");
  CHECK(common_of("FLOAT", "DECIMAL(5,2)") == "DOUBLE");
  CHECK(common_of("FLOAT", "INT") == "FLOAT");
}

TEST_CASE("DECIMAL results have Flink's precision and scale") {
  CHECK(same_shape(decimal_add_shape({10, 2}, {10, 4}), 13, 4));
  CHECK(same_shape(decimal_multiply_shape({10, 2}, {10, 2}), 21, 4));
  CHECK(same_shape(decimal_divide_shape({10, 2}, {10, 2}), 23, 13));
  CHECK(same_shape(decimal_divide_shape({38, 0}, {38, 0}), 38, 6));
  CHECK(same_shape(decimal_divide_shape({20, 10}, {20, 10}), 38, 18));
  CHECK(same_shape(decimal_modulo_shape({10, 2}, {10, 4}), 10, 4));
  CHECK(same_shape(decimal_round_shape({7, 3}, -2), 5, 0));
  CHECK(same_shape(decimal_round_shape({7, 3}, 5), 7, 3));
}

TEST_CASE("only lossless conversions happen by themselves") {
  auto implicit = [](std::string_view from, std::string_view to) {
    return converts_implicitly(**parse_type(from), **parse_type(to));
  };
  CHECK(implicit("INT", "BIGINT"));
  CHECK(implicit("INT", "DECIMAL(12,2)"));
  CHECK_FALSE(implicit("INT", "DECIMAL(10,2)"));
  CHECK_FALSE(implicit("BIGINT", "INT"));
  CHECK_FALSE(implicit("STRING", "INT"));
  CHECK(implicit("DATE", "TIMESTAMP(3)"));
}

}  // namespace millrace
