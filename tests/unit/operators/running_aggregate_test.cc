#include "tests/unit/operators/support.h"

namespace millrace {

namespace {

KitCase running_case(const std::string& rest) {
  KitCase test;
  test.step = "id: a\nkey_by: [user]\n" + rest;
  test.inputs = {"user STRING, n INT"};
  return test;
}

KitEvent click_of(const std::string& user, int n, int64_t time) {
  return kit_row("{\"user\":\"" + user + "\",\"n\":" + std::to_string(n) + "}", time);
}

/// Rows left by a changelog; the kit compares modes that skip different values between batches.
std::vector<std::string> end_state(const std::vector<std::string>& changelog) {
  std::vector<std::string> rows;
  for (const std::string& line : changelog) {
    const std::string op = line.substr(7, 2);
    const std::string row = line.substr(11);
    if (op == "+I" || op == "+U") {
      rows.push_back(row);
    } else {
      const auto found = std::ranges::find(rows, row);
      if (found == rows.end()) return {"takes back what it never gave: " + line};
      rows.erase(found);
    }
  }
  std::ranges::sort(rows);
  return rows;
}

std::vector<std::string> rows_of(KitCase test) {
  // Only the first mode's rows are wanted: what other modes skip differs.
  test.expect["nothing"] = {};
  std::map<std::string, std::vector<std::string>> rows;
  for (const std::string& failure : run_operator_case(operators_registry(), test, &rows)) FAIL_CHECK(failure);
  return rows[""];
}

}  // namespace

TEST_CASE("a running aggregate says what changed, once per key and batch") {
  KitCase test = running_case("aggregate: {cnt: COUNT(*), total: SUM(n)}");
  test.events = {click_of("a", 1, 1), click_of("a", 2, 2), click_of("b", 3, 3), kit_watermark(2), click_of("a", 4, 4)};
  CHECK(rows_of(test) == std::vector<std::string>{R"({"op":"+I","user":"a","cnt":2,"total":3})",
                                                  R"({"op":"+I","user":"b","cnt":1,"total":3})",
                                                  R"({"op":"-U","user":"a","cnt":2,"total":3})",
                                                  R"({"op":"+U","user":"a","cnt":3,"total":7})"});
}

TEST_CASE("a result that did not change is not sent again") {
  KitCase test = running_case("aggregate: {most: MAX(n)}");
  test.events = {click_of("a", 5, 1), kit_watermark(1), click_of("a", 2, 2), kit_watermark(2), click_of("a", 9, 3)};
  CHECK(rows_of(test) == std::vector<std::string>{R"({"op":"+I","user":"a","most":5})",
                                                  R"({"op":"-U","user":"a","most":5})",
                                                  R"({"op":"+U","user":"a","most":9})"});
}

TEST_CASE("having lets results appear and disappear") {
  KitCase test = running_case("aggregate: {cnt: COUNT(*)}\nhaving: MOD(cnt, 2) = 0");
  test.events = {click_of("a", 1, 1), kit_watermark(1), click_of("a", 1, 2), kit_watermark(2), click_of("a", 1, 3)};
  CHECK(rows_of(test) ==
        std::vector<std::string>{R"({"op":"+I","user":"a","cnt":2})", R"({"op":"-D","user":"a","cnt":2})"});
}

TEST_CASE("rows that are taken back leave the result, and a key without rows disappears") {
  KitCase test = running_case("aggregate: {cnt: COUNT(*), total: SUM(n)}");
  const auto kind = [](KitEvent event, RowKind of) {
    event.row_kind = static_cast<uint8_t>(of);
    return event;
  };
  test.events = {click_of("a", 1, 1),
                 click_of("a", 2, 2),
                 click_of("b", 7, 2),
                 kit_watermark(1),
                 kind(click_of("a", 1, 3), RowKind::kDelete),
                 kit_watermark(3),
                 kind(click_of("b", 7, 4), RowKind::kUpdateBefore),
                 kind(click_of("b", 8, 4), RowKind::kUpdateAfter),
                 kit_watermark(4),
                 kind(click_of("a", 2, 5), RowKind::kDelete)};
  CHECK(end_state(rows_of(test)) == std::vector<std::string>{R"("user":"b","cnt":1,"total":8})"});
}

TEST_CASE("extremes and distinct counts follow rows that are taken back, also after a restore") {
  KitCase test = running_case("aggregate: {most: MAX(n), kinds: COUNT(DISTINCT n), last: LAST_VALUE(n)}");
  const auto kind = [](KitEvent event, RowKind of) {
    event.row_kind = static_cast<uint8_t>(of);
    return event;
  };
  test.inputs_update = true;
  test.events = {click_of("a", 9, 1),
                 click_of("a", 4, 2),
                 click_of("a", 9, 2),
                 kit_watermark(1),
                 kind(click_of("a", 9, 3), RowKind::kDelete),
                 kit_watermark(3),
                 kind(click_of("a", 9, 4), RowKind::kUpdateBefore),
                 kind(click_of("a", 5, 4), RowKind::kUpdateAfter)};
  CHECK(end_state(rows_of(test)) == std::vector<std::string>{R"("user":"a","most":5,"kinds":2,"last":5})"});
}

TEST_CASE("a key that had no row for its ttl starts anew") {
  KitCase test = running_case("ttl: 10s\naggregate: {cnt: COUNT(*)}");
  test.events = {kit_clock(1000),     click_of("a", 1, 1), kit_watermark(1), kit_clock(9000),
                 click_of("a", 1, 2), kit_watermark(2),    kit_clock(20000), click_of("a", 1, 3)};
  CHECK(rows_of(test) ==
        std::vector<std::string>{R"({"op":"+I","user":"a","cnt":1})", R"({"op":"-U","user":"a","cnt":1})",
                                 R"({"op":"+U","user":"a","cnt":2})", R"({"op":"+I","user":"a","cnt":1})"});
}

TEST_CASE("emit: append gives one row per input row, whatever the batches are") {
  KitCase test = running_case("emit: append\naggregate: {cnt: COUNT(*), total: SUM(n), last: LAST_VALUE(n)}");
  test.events = {click_of("a", 1, 1), click_of("a", 2, 2), click_of("b", 3, 3), click_of("a", 4, 4)};
  test.expect[""] = {R"({"user":"a","cnt":1,"total":1,"last":1})", R"({"user":"a","cnt":2,"total":3,"last":2})",
                     R"({"user":"b","cnt":1,"total":3,"last":3})", R"({"user":"a","cnt":3,"total":7,"last":4})"};
  test.ordered = true;
  check_operator(test);
}

TEST_CASE("a global running aggregate has one result") {
  KitCase test = running_case("emit: append\naggregate: {cnt: COUNT(DISTINCT user)}");
  test.step = "id: a\nemit: append\naggregate: {cnt: COUNT(DISTINCT user)}";
  test.events = {click_of("a", 1, 1), click_of("b", 1, 2), click_of("a", 1, 3)};
  test.expect[""] = {R"({"cnt":1})", R"({"cnt":2})", R"({"cnt":2})"};
  test.ordered = true;
  check_operator(test);
}

TEST_CASE("many changed keys leave in several batches") {
  KitCase test = running_case("aggregate: {cnt: COUNT(*)}");
  for (int round = 0; round < 2; ++round) {
    for (int i = 0; i < 3000; ++i) test.events.push_back(click_of("u" + std::to_string(i), i, i));
    test.events.push_back(kit_watermark(round));
  }
  test.expect["nothing"] = {};
  std::map<std::string, std::vector<std::string>> rows;
  CHECK(run_operator_case(operators_registry(), test, &rows, KitModes::kWithoutRestore).empty());
  CHECK(rows[""].size() == 9000);
  CHECK(end_state(rows[""]).size() == 3000);
}

}  // namespace millrace
