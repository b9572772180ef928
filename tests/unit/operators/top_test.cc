#include "tests/unit/operators/support.h"

#include <algorithm>

#include "core/random.h"

namespace millrace {

namespace {

KitEvent score_row(const std::string& team, int score, int64_t time, RowKind kind = RowKind::kInsert) {
  KitEvent event = kit_row("{\"team\":\"" + team + "\",\"score\":" + std::to_string(score) + "}", time);
  event.row_kind = static_cast<uint8_t>(kind);
  return event;
}

KitCase top_case(const std::string& fields) {
  KitCase test;
  test.step = "id: t\nkey_by: [team]\ntop: {" + fields + "}";
  test.inputs = {"team STRING, score INT"};
  return test;
}

}  // namespace

TEST_CASE("top with a rank tells every change of place") {
  KitCase test = top_case("n: 2, order_by: score DESC, rank: place");
  test.events = {score_row("a", 1, 1), score_row("a", 2, 2), score_row("a", 3, 3), score_row("a", 0, 4)};
  test.expect[""] = {R"({"op":"+I","team":"a","score":1,"place":1})", R"({"op":"-U","team":"a","score":1,"place":1})",
                     R"({"op":"+U","team":"a","score":2,"place":1})", R"({"op":"+I","team":"a","score":1,"place":2})",
                     R"({"op":"-U","team":"a","score":2,"place":1})", R"({"op":"+U","team":"a","score":3,"place":1})",
                     R"({"op":"-U","team":"a","score":1,"place":2})", R"({"op":"+U","team":"a","score":2,"place":2})"};
  test.ordered = true;
  check_operator(test);
}

TEST_CASE("top without a rank tells only who enters and who leaves") {
  KitCase test = top_case("n: 2, order_by: score DESC");
  test.events = {score_row("a", 1, 1), score_row("a", 2, 2), score_row("a", 3, 3), score_row("a", 0, 4)};
  test.expect[""] = {R"({"op":"+I","team":"a","score":1})", R"({"op":"+I","team":"a","score":2})",
                     R"({"op":"-D","team":"a","score":1})", R"({"op":"+I","team":"a","score":3})"};
  test.ordered = true;
  check_operator(test);
}

TEST_CASE("a row that is taken back lets the next one in") {
  for (const bool rank : {false, true}) {
    KitCase test = top_case(std::string("n: 1, order_by: score DESC") + (rank ? ", rank: place" : ""));
    test.inputs_update = true;
    test.events = {score_row("a", 5, 1), score_row("a", 4, 2), score_row("a", 5, 3, RowKind::kDelete),
                   score_row("a", 4, 4, RowKind::kDelete)};
    const std::string place = rank ? R"(,"place":1})" : "}";
    test.expect[""] = {R"({"op":"+I","team":"a","score":5)" + place,
                       (rank ? R"({"op":"-U","team":"a","score":5)" : R"({"op":"-D","team":"a","score":5)") + place,
                       (rank ? R"({"op":"+U","team":"a","score":4)" : R"({"op":"+I","team":"a","score":4)") + place,
                       R"({"op":"-D","team":"a","score":4)" + place};
    test.ordered = true;
    check_operator(test);
  }
}

TEST_CASE("top per window leaves once, at the end of the window") {
  KitCase test = top_case("n: 1, order_by: score DESC, rank: place, window: {type: tumbling, size: 10ms}");
  test.events = {score_row("a", 1, 1),
                 score_row("a", 7, 9),
                 score_row("b", 2, 5),
                 score_row("a", 3, 12),
                 kit_watermark(9),
                 score_row("a", 9, 8),
                 kit_end()};
  test.expect[""] = {R"({"team":"a","score":7,"window_start":0,"window_end":10,"place":1})",
                     R"({"team":"b","score":2,"window_start":0,"window_end":10,"place":1})",
                     R"({"team":"a","score":3,"window_start":10,"window_end":20,"place":1})"};
  test.expect["late"] = {R"({"team":"a","score":9})"};
  check_operator(test);
}

TEST_CASE("the changelog of top always leaves the first rows of a plain sort") {
  for (uint32_t seed = 0; seed < 60; ++seed) {
    SeededRandom random(seed);
    KitCase test = top_case("n: 3, order_by: [score], rank: place");
    test.inputs_update = true;
    std::vector<int> live;
    for (int i = 0; i < 60; ++i) {
      if (!live.empty() && random.below(3) == 0) {
        const size_t gone = random.below(live.size());
        test.events.push_back(score_row("a", live[gone], i, RowKind::kDelete));
        live.erase(live.begin() + static_cast<std::ptrdiff_t>(gone));
      } else {
        live.push_back(static_cast<int>(random.below(20)));
        test.events.push_back(score_row("a", live.back(), i));
      }
    }
    std::map<std::string, std::vector<std::string>> rows;
    REQUIRE(run_operator_case(operators_registry(), test, &rows, KitModes::kWithoutRestore).empty());
    std::vector<std::string> shown;
    for (const std::string& line : rows[""]) {
      const std::string row = line.substr(11);
      if (line[7] == '+') {
        shown.push_back(row);
      } else {
        const auto at = std::ranges::find(shown, row);
        REQUIRE(at != shown.end());
        shown.erase(at);
      }
    }
    std::ranges::sort(live);
    std::vector<std::string> wanted;
    for (size_t i = 0; i < live.size() && i < 3; ++i) {
      wanted.push_back(R"("team":"a","score":)" + std::to_string(live[i]) + ",\"place\":" + std::to_string(i + 1) +
                       "}");
    }
    std::ranges::sort(shown);
    std::ranges::sort(wanted);
    CHECK(shown == wanted);
  }
}

}  // namespace millrace
