#include "tests/unit/operators/support.h"

namespace millrace {

TEST_CASE("map computes named columns and keeps all, a list or none") {
  KitCase test;
  test.inputs = {"user STRING, price DECIMAL(10,2), n BIGINT"};
  test.events = {kit_row(R"({"user":"a","price":"2.50","n":3})", 1),
                 kit_row(R"({"user":null,"price":"1.00","n":1})", 2)};
  test.ordered = true;
  test.step = "map: {total: price * n, name: UPPER(user)}";
  test.expect[""] = {R"({"total":"7.50","name":"A"})", R"({"total":"1.00","name":null})"};
  check_operator(test);
  test.step = "map: {keep: all, drop: [price], n: n + 1}";
  test.expect[""] = {R"({"user":"a","n":4})", R"({"user":null,"n":2})"};
  check_operator(test);
  test.step = "map: {keep: [n, user], twice: n * 2}";
  test.expect[""] = {R"({"n":3,"user":"a","twice":6})", R"({"n":1,"user":null,"twice":2})"};
  check_operator(test);
}

TEST_CASE("map drops a row that fails when it is told to skip") {
  KitCase test;
  test.inputs = {"s STRING"};
  test.step = "on_error: skip\nmap: {n: CAST(s AS INT)}";
  test.events = {kit_row(R"({"s":"1"})", 1), kit_row(R"({"s":"x"})", 2), kit_row(R"({"s":"3"})", 3)};
  test.expect[""] = {R"({"n":1})", R"({"n":3})"};
  check_operator(test);
}

TEST_CASE("map refuses columns that do not exist and an empty list") {
  CHECK(bind_error("map: {keep: [nn]}", "n BIGINT") == "unknown column `nn`");
  CHECK(bind_error("map: {drop: [n]}", "n BIGINT") == "map: has no columns");
}

}  // namespace millrace
