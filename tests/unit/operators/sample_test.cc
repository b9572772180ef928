#include "tests/unit/operators/support.h"

namespace millrace {

TEST_CASE("sample keeps about the part it is told to") {
  KitCase test;
  test.step = "id: s\nsample: 0.25";
  test.inputs = {"n INT"};
  for (int i = 0; i < 4000; ++i) test.events.push_back(kit_row("{\"n\":" + std::to_string(i) + "}", i));
  test.expect["nothing"] = {};
  std::map<std::string, std::vector<std::string>> rows;
  CHECK(run_operator_case(operators_registry(), test, &rows, KitModes::kWithoutRestore).empty());
  CHECK(rows[""].size() > 800);
  CHECK(rows[""].size() < 1200);
}

TEST_CASE("sample: 1 keeps everything, and other parts are refused") {
  KitCase test;
  test.step = "id: s\nsample: 1";
  test.inputs = {"n INT"};
  test.events = {kit_row(R"({"n":1})", 1), kit_row(R"({"n":2})", 2)};
  test.expect[""] = {R"({"n":1})", R"({"n":2})"};
  check_operator(test);
  for (const char* part : {"0", "1.5", "-1"}) {
    CHECK(bind_error(std::string("id: s\nsample: ") + part, "n INT") ==
          "sample: is a part of all rows, above 0 and at most 1");
  }
}

}  // namespace millrace
