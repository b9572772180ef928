#include "data/types.h"

#include <catch2/catch.hpp>

using namespace millrace;

namespace {

std::string reprinted(std::string_view text) {
  auto type = parse_type(text);
  return type ? (*type)->to_string() : "error: " + type.error().message;
}

}  // namespace

TEST_CASE("types print as Flink prints them") {
  CHECK(make_string()->to_string() == "STRING");
  CHECK(make_text(TypeKind::kVarchar, 5)->to_string() == "VARCHAR(5)");
  CHECK(make_text(TypeKind::kChar, 3, false)->to_string() == "CHAR(3)");
  CHECK(make_decimal(10, 2)->to_string() == "DECIMAL(10, 2)");
  CHECK(make_type(TypeKind::kTimestamp)->to_string() == "TIMESTAMP(3)");
  CHECK(make_array(make_type(TypeKind::kInt, false))->to_string() == "ARRAY<INT NOT NULL>");
  CHECK(make_map(make_string(), make_type(TypeKind::kBigInt))->to_string() == "MAP<STRING, BIGINT>");
  CHECK(make_row({"a", "b`c"}, {make_type(TypeKind::kInt), make_string(false)})->to_string() ==
        "ROW<`a` INT, `b``c` STRING NOT NULL>");
}

TEST_CASE("a type's text is read in any letter case and with SQL's synonyms") {
  CHECK(reprinted("decimal(10,2)") == "DECIMAL(10, 2)");
  CHECK(reprinted("numeric") == "DECIMAL(10, 0)");
  CHECK(reprinted("Integer") == "INT");
  CHECK(reprinted("double precision") == "DOUBLE");
  CHECK(reprinted("TIMESTAMP") == "TIMESTAMP(3)");
  CHECK(reprinted("TIMESTAMP(6) WITH LOCAL TIME ZONE") == "TIMESTAMP_LTZ(6)");
  CHECK(reprinted("time") == "TIME(0)");
  CHECK(reprinted("interval day(2) to second(3)") == "INTERVAL SECOND(3)");
  CHECK(reprinted("INTERVAL YEAR TO MONTH") == "INTERVAL MONTH");
  CHECK(reprinted("array<row<A int,b map<string,array<double>> not null>>") ==
        "ARRAY<ROW<`A` INT, `b` MAP<STRING, ARRAY<DOUBLE>> NOT NULL>>");
  CHECK(reprinted("ROW(`odd ``name` INT)") == "ROW<`odd ``name` INT>");
}

TEST_CASE("NOT NULL belongs to the type") {
  CHECK_FALSE((*parse_type("STRING NOT NULL"))->nullable);
  CHECK((*parse_type("STRING NULL"))->nullable);
  CHECK((*parse_type("STRING"))->nullable);
}

TEST_CASE("what a type prints reads back as the same type") {
  for (const char* text : {"ARRAY<INT NOT NULL>", "MAP<CHAR(1) NOT NULL, INT NOT NULL>", "INTERVAL SECOND(3)",
                           "VARIANT", "ROW<`x``y` DECIMAL(38, 38), `z` TIME(3)>", "BYTES", "TIMESTAMP_LTZ(0)"}) {
    CHECK(reprinted(text) == text);
    CHECK(same_type(**parse_type(text), **parse_type(reprinted(text))));
  }
}

TEST_CASE("a caller can read on after the type") {
  size_t consumed = 0;
  REQUIRE(parse_type("STRING NOT NULL FROM path user.id", &consumed));
  CHECK(consumed == std::string_view("STRING NOT NULL").size());
  REQUIRE(parse_type("  TIMESTAMP(3)   AS x", &consumed));
  CHECK(consumed == std::string_view("  TIMESTAMP(3)").size());
  REQUIRE(parse_type("INT NOT VALID", &consumed));
  CHECK(consumed == 3);
}

TEST_CASE("a wrong type is refused with a reason") {
  CHECK(parse_type("STRIN").error().help == "did you mean STRING?");
  CHECK(parse_type("STRIN").error().code == ErrorCode::kUnknownType);
  for (const char* text : {"", "DECIMAL(39)", "DECIMAL(3,4)", "DECIMAL(3", "INT x", "ARRAY", "ARRAY<INT", "MAP<INT>",
                           "ROW<>", "ROW<a INT, a INT>", "CHAR(0)", "TIMESTAMP(10)", "INTERVAL", "VARBINARY(0)",
                           "CHAR(99999999999)", "TIMESTAMP WITH TIME ZONE", "INTERVAL YEAR TO SECOND"}) {
    CAPTURE(text);
    CHECK_FALSE(parse_type(text));
  }
  std::string deep;
  for (int i = 0; i < 100'000; ++i) deep += "ARRAY<";
  CHECK_FALSE(parse_type(deep));
}

TEST_CASE("types are equal by structure; the outer nullability does not count") {
  CHECK(same_type(*make_string(true), *make_string(false)));
  CHECK_FALSE(same_type(*make_decimal(10, 2), *make_decimal(10, 3)));
  CHECK_FALSE(same_type(*make_array(make_string(true)), *make_array(make_string(false))));
  CHECK_FALSE(same_type(*parse_type("ROW<a INT>").value(), *parse_type("ROW<b INT>").value()));
}

TEST_CASE("a schema finds its columns by exact name") {
  Schema schema{{{"a", make_string()}, {"B", make_string()}}};
  CHECK(schema.find("B") == 1u);
  CHECK_FALSE(schema.find("b").has_value());
}
