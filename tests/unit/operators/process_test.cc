#include "tests/unit/operators/support.h"

namespace millrace {

namespace {

KitEvent process_row(const std::string& user, int n, int64_t time) {
  return kit_row("{\"user\":\"" + user + "\",\"n\":" + std::to_string(n) + "}", time);
}

KitCase process_case(const std::string& process) {
  KitCase test;
  test.step = "id: p\nkey_by: [user]\nprocess:\n" + process;
  test.inputs = {"user STRING, n INT"};
  return test;
}

}  // namespace

TEST_CASE("a counter in keyed state alerts once past its limit") {
  KitCase test = process_case(R"yaml(
  state: {count: {type: BIGINT, default: "0"}}
  on_event:
    - set: {count: count + 1}
    - if: count = 3
      then: [{emit: {user: user, count: count}}]
      else: [{emit: {n: n}, to: others}])yaml");
  test.events = {process_row("a", 1, 1), process_row("a", 2, 2), process_row("b", 3, 3), process_row("a", 4, 4),
                 process_row("a", 5, 5)};
  test.expect[""] = {R"({"user":"a","count":3})"};
  test.expect["others"] = {R"({"n":1})", R"({"n":2})", R"({"n":3})", R"({"n":5})"};
  check_operator(test);
}

TEST_CASE("timers of event time fire in order of time, once per name and time, and can be cancelled") {
  KitCase test = process_case(R"yaml(
  state: {rows_seen: {type: INT, default: "0"}}
  on_event:
    - set: {rows_seen: rows_seen + 1}
    - timer: {name: later, at: CAST(n AS BIGINT)}
    - timer: {name: later, at: CAST(n AS BIGINT)}
    - if: n = 30
      then: [{cancel_timer: {name: later, at: 20}}]
  on_timer:
    later:
      - emit: {user: user, at: TIMER_TIME(), rows_seen: rows_seen, wm: CURRENT_WATERMARK()})yaml");
  test.events = {process_row("a", 10, 1), process_row("a", 20, 2), process_row("b", 15, 2),
                 process_row("a", 30, 3), kit_watermark(12),       kit_end()};
  test.expect[""] = {R"({"user":"a","at":10,"rows_seen":3,"wm":12})",
                     R"({"user":"b","at":15,"rows_seen":1,"wm":9223372036854775807})",
                     R"({"user":"a","at":30,"rows_seen":3,"wm":9223372036854775807})"};
  test.ordered = true;
  check_operator(test);
}

TEST_CASE("a timer set by a timer fires in the same advance") {
  KitCase test = process_case(R"yaml(
  on_event: [{timer: {name: tick, at: 10}}]
  on_timer:
    tick:
      - emit: {at: TIMER_TIME()}
      - if: TIMER_TIME() < TIMESTAMP '1970-01-01 00:00:00.030'
        then: [{timer: {name: tick, at: TIMER_TIME() + INTERVAL '0.010' SECOND}}])yaml");
  test.events = {process_row("a", 1, 1), kit_watermark(100)};
  test.expect[""] = {R"({"at":10})", R"({"at":20})", R"({"at":30})"};
  test.ordered = true;
  check_operator(test);
}

TEST_CASE("map state: entries are set, read, cleared and walked over") {
  KitCase test = process_case(R"yaml(
  state: {seen: {type: "MAP<INT, BIGINT>"}}
  on_event:
    - if: n < 0
      then:
        - for_each:
            k: MAP_KEYS(seen)
            do: [{emit: {user: user, k: k, times: "seen[k]"}}]
        - clear: seen
      else:
        - set: {"seen[n]": "COALESCE(seen[n], 0) + 1"}
        - if: seen[n] = 3
          then: [{clear: "seen[n]"}])yaml");
  test.events = {process_row("a", 7, 1), process_row("a", 7, 2), process_row("a", 8, 3),  process_row("a", 9, 3),
                 process_row("a", 9, 3), process_row("a", 9, 3), process_row("a", -1, 4), process_row("a", -1, 5)};
  test.expect[""] = {R"({"user":"a","k":7,"times":2})", R"({"user":"a","k":8,"times":1})"};
  check_operator(test);
}

TEST_CASE("list state grows and is forgotten after its ttl") {
  KitCase test = process_case(R"yaml(
  state: {list: {type: ARRAY<INT>, ttl: 10s}}
  on_event:
    - if: list IS NULL
      then: [{set: {list: "ARRAY[n]"}}]
      else: [{set: {list: "ARRAY_APPEND(list, n)"}
}]
    - emit: {user: user, list: list})yaml");
  test.events = {process_row("a", 1, 1), kit_clock(9000), process_row("a", 2, 2), kit_clock(19000),
                 process_row("a", 3, 3)};
  test.expect[""] = {R"({"user":"a","list":[1]})", R"({"user":"a","list":[1,2]})", R"({"user":"a","list":[3]})"};
  check_operator(test);
}

TEST_CASE("timers of processing time fire with the clock") {
  KitCase test = process_case(R"yaml(
  state: {at: {type: BIGINT}}
  on_event: [{timer: {name: wake, at: CAST(n AS BIGINT), time: processing}}]
  on_timer: {wake: [{emit: {user: user, at: TIMER_TIME()}}]})yaml");
  test.events = {process_row("a", 5000, 1), process_row("b", 9000, 1), kit_clock(6000), kit_clock(10000)};
  test.expect[""] = {R"({"user":"a","at":5000})", R"({"user":"b","at":9000})"};
  test.ordered = true;
  check_operator(test);
}

TEST_CASE("a row whose expression fails is skipped where the step says so") {
  KitCase test = process_case("\n  on_event: [{emit: {part: 10 / n}}]\non_error: skip");
  test.events = {process_row("a", 5, 1), process_row("a", 0, 2), process_row("a", 2, 3)};
  test.expect[""] = {R"({"part":2})", R"({"part":5})"};
  check_operator(test);
}

TEST_CASE("mistakes in process are named") {
  const auto error = [](const std::string& process) {
    return bind_error("id: p\nkey_by: [user]\nprocess: " + process, "user STRING, n INT");
  };
  CHECK(error("{on_event: [{set: {x: 1}}, {emit: {n: n}}]}") == "there is no state `x`");
  CHECK(error("{on_event: [{timer: {name: t, at: 1}}, {emit: {n: n}}]}") ==
        "the timer needs a `name` that stands under `on_timer`");
  CHECK(error("{on_event: [{emit: {n: n}}, {emit: {m: n}}]}") ==
        "every `emit` to the main output needs the same columns");
  CHECK(error("{on_event: [{timer: {name: t, at: 1}}], on_timer: {t: [{emit: {n: n}}]}}") ==
        "unknown column `n`; process: no action emits to the main output");
}

}  // namespace millrace
