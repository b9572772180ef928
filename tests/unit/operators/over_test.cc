#include "tests/unit/operators/support.h"

namespace millrace {

namespace {

KitEvent over_row(int n, int64_t time) { return kit_row("{\"user\":\"a\",\"n\":" + std::to_string(n) + "}", time); }

KitCase over_case(const std::string& fields) {
  KitCase test;
  test.step = "id: o\nkey_by: [user]\nover: {" + fields + "}";
  test.inputs = {"user STRING, n INT"};
  test.events = {over_row(1, 10), over_row(3, 30), over_row(2, 20), kit_watermark(25),
                 over_row(4, 40), over_row(5, 40), kit_end()};
  return test;
}

std::string framed(int n, const std::string& results) {
  return "{\"user\":\"a\",\"n\":" + std::to_string(n) + "," + results + "}";
}

}  // namespace

TEST_CASE("rows before each row, in the order of event time") {
  KitCase test = over_case("rows: 1, columns: {total: SUM(n), rows_of: COUNT(*)}");
  test.expect[""] = {framed(1, R"("total":1,"rows_of":1)"), framed(2, R"("total":3,"rows_of":2)"),
                     framed(3, R"("total":5,"rows_of":2)"), framed(4, R"("total":7,"rows_of":2)"),
                     framed(5, R"("total":9,"rows_of":2)")};
  test.ordered = true;
  check_operator(test);
}

TEST_CASE("all rows before each row") {
  KitCase test = over_case("rows: unbounded, columns: {place: ROW_NUMBER(), most: MAX(n), twice: SUM(n) * 2}");
  test.expect[""] = {framed(1, R"("place":1,"most":1,"twice":2)"), framed(2, R"("place":2,"most":2,"twice":6)"),
                     framed(3, R"("place":3,"most":3,"twice":12)"), framed(4, R"("place":4,"most":4,"twice":20)"),
                     framed(5, R"("place":5,"most":5,"twice":30)")};
  test.ordered = true;
  check_operator(test);
}

TEST_CASE("rows of the same time share a range") {
  KitCase test = over_case("range: 10ms, columns: {total: SUM(n)}");
  test.expect[""] = {framed(1, R"("total":1)"), framed(2, R"("total":3)"), framed(3, R"("total":5)"),
                     framed(4, R"("total":12)"), framed(5, R"("total":12)")};
  check_operator(test);
  test = over_case("range: unbounded, columns: {total: SUM(n)}");
  test.expect[""] = {framed(1, R"("total":1)"), framed(2, R"("total":3)"), framed(3, R"("total":6)"),
                     framed(4, R"("total":15)"), framed(5, R"("total":15)")};
  check_operator(test);
}

TEST_CASE("LAG looks back from the last row of the same time") {
  KitCase test = over_case(R"yaml(columns: {before: LAG(n), far: "LAG(n, 3, -1)"})yaml");
  test.expect[""] = {framed(1, R"("before":null,"far":-1)"), framed(2, R"("before":1,"far":-1)"),
                     framed(3, R"("before":2,"far":-1)"), framed(4, R"("before":4,"far":2)"),
                     framed(5, R"("before":4,"far":2)")};
  check_operator(test);
}

TEST_CASE("a late row of a quiet key still counts in a bounded frame, not in an unbounded one") {
  KitCase test = over_case("rows: 2, columns: {total: SUM(n)}");
  test.events = {kit_watermark(50), over_row(1, 10), kit_watermark(60), over_row(2, 10), kit_end()};
  test.expect[""] = {framed(1, R"("total":1)")};
  test.expect["late"] = {R"({"user":"a","n":2})"};
  check_operator(test);
  const std::vector<KitEvent> events = test.events;
  test = over_case("rows: unbounded, columns: {total: SUM(n)}");
  test.events = events;
  test.expect[""] = {};
  test.expect["late"] = {R"({"user":"a","n":1})", R"({"user":"a","n":2})"};
  check_operator(test);
}

TEST_CASE("over needs one frame") {
  CHECK(bind_error("id: o\nover: {columns: {a: SUM(n)}}", "n INT") == "over: needs either `rows` or `range`");
  CHECK(bind_error("id: o\nover: {rows: 1, columns: {a: ROW_NUMBER()}}", "n INT") ==
        "ROW_NUMBER() needs `rows: unbounded`");
}

}  // namespace millrace
