#include "tests/unit/operators/support.h"

namespace millrace {

namespace {

KitCase session_case(const std::string& window, const std::string& aggregate) {
  KitCase test;
  test.step = "id: s\nkey_by: [user]\nwindow: " + window + "\naggregate: " + aggregate;
  test.inputs = {"user STRING, n INT"};
  return test;
}

KitEvent visit(const std::string& user, int n, int64_t time) {
  return kit_row("{\"user\":\"" + user + "\",\"n\":" + std::to_string(n) + "}", time);
}

}  // namespace

TEST_CASE("a session ends a gap after its last row; sessions that touch are one") {
  KitCase test = session_case("{type: session, gap: 10s}", "{cnt: COUNT(*), list: LISTAGG(CAST(n AS STRING))}");
  test.events = {visit("a", 1, 0),     visit("a", 2, 20000), visit("b", 3, 5000),
                 kit_watermark(9000),  visit("a", 4, 10000), kit_watermark(29998),
                 kit_watermark(29999), visit("a", 5, 50000), kit_end()};
  test.expect[""] = {R"({"user":"b","window_start":5000,"window_end":15000,"cnt":1,"list":"3"})",
                     R"({"user":"a","window_start":0,"window_end":30000,"cnt":3,"list":"1,2,4"})",
                     R"({"user":"a","window_start":50000,"window_end":60000,"cnt":1,"list":"5"})"};
  test.expect["late"] = {};
  check_operator(test);
}

TEST_CASE("a row whose own session would be late is taken when it merges with a live one") {
  KitCase test = session_case("{type: session, gap: 10s}", "{cnt: COUNT(*)}");
  test.events = {visit("a", 1, 9000), kit_watermark(15000), visit("a", 2, 4000), visit("b", 3, 4000), kit_end()};
  test.expect[""] = {R"({"user":"a","window_start":4000,"window_end":19000,"cnt":2})"};
  test.expect["late"] = {R"({"user":"b","n":3})"};
  check_operator(test);
}

TEST_CASE("within the lateness fired sessions live on, merge and fire at once") {
  KitCase test = session_case("{type: session, gap: 10s, allowed_lateness: 60s}", "{cnt: COUNT(*)}");
  test.events = {visit("a", 1, 0),    visit("a", 2, 15000), kit_watermark(40000), visit("a", 3, 8000),
                 visit("b", 4, 1000), kit_watermark(90000), visit("a", 5, 1),     kit_end()};
  test.expect[""] = {R"({"user":"a","window_start":0,"window_end":10000,"cnt":1})",
                     R"({"user":"a","window_start":15000,"window_end":25000,"cnt":1})",
                     R"({"user":"a","window_start":0,"window_end":25000,"cnt":3})",
                     R"({"user":"b","window_start":1000,"window_end":11000,"cnt":1})"};
  test.expect["late"] = {R"({"user":"a","n":5})"};
  check_operator(test);
}

TEST_CASE("a late row may carry a fired session over the watermark, which then fires by it") {
  KitCase test = session_case("{type: session, gap: 10s, allowed_lateness: 60s}", "{cnt: COUNT(*)}");
  test.events = {visit("a", 1, 0),     kit_watermark(12000), visit("a", 2, 9000),
                 kit_watermark(18998), kit_watermark(18999), kit_end()};
  test.expect[""] = {R"({"user":"a","window_start":0,"window_end":10000,"cnt":1})",
                     R"({"user":"a","window_start":0,"window_end":19000,"cnt":2})"};
  check_operator(test);
}

TEST_CASE("the gap may differ from row to row") {
  KitCase test = session_case("{type: session, gap: n * 1000}", "{cnt: COUNT(*)}");
  test.events = {visit("a", 5, 0), visit("a", 60, 4000), visit("a", 1, 63000), visit("a", 1, 65000), kit_end()};
  test.expect[""] = {R"({"user":"a","window_start":0,"window_end":64000,"cnt":3})",
                     R"({"user":"a","window_start":65000,"window_end":66000,"cnt":1})"};
  check_operator(test);
  test.step += "\non_error: skip";
  test.events.push_back(visit("a", 0, 1'000'000));
  check_operator(test);
}

TEST_CASE("emit_early_every shows windows before their end, aligned to multiples of the interval") {
  KitCase test =
      session_case("{type: tumbling, size: 10s, emit_early_every: 2s}", "{cnt: COUNT(*), wm: CURRENT_WATERMARK()}");
  test.events = {visit("a", 1, 500),
                 kit_watermark(1999),
                 kit_watermark(2000),
                 visit("a", 2, 2500),
                 kit_watermark(6500),
                 kit_watermark(9999),
                 kit_end()};
  test.expect[""] = {R"({"user":"a","window_start":0,"window_end":10000,"cnt":1,"wm":2000})",
                     R"({"user":"a","window_start":0,"window_end":10000,"cnt":2,"wm":6500})",
                     R"({"user":"a","window_start":0,"window_end":10000,"cnt":2,"wm":6500})",
                     R"({"user":"a","window_start":0,"window_end":10000,"cnt":2,"wm":9999})",
                     R"({"user":"a","window_start":0,"window_end":10000,"cnt":2,"wm":9999})"};
  check_operator(test);
}

TEST_CASE("early results of a purging window show only what is new, and nothing when nothing is") {
  KitCase test =
      session_case("{type: tumbling, size: 10s, emit_early_every: 2s, accumulate: false}", "{cnt: COUNT(*)}");
  test.events = {visit("a", 1, 500), kit_watermark(2000), visit("a", 2, 2500), visit("a", 2, 2600), kit_end()};
  test.expect[""] = {R"({"user":"a","window_start":0,"window_end":10000,"cnt":1})",
                     R"({"user":"a","window_start":0,"window_end":10000,"cnt":2})"};
  check_operator(test);
}

TEST_CASE("count windows fire on every n-th row of a key and never at the end") {
  KitCase test = session_case("{type: count, size: 3}", "{cnt: COUNT(*), total: SUM(n)}");
  for (int i = 1; i <= 7; ++i) test.events.push_back(visit("a", i, 100 - i));
  test.events.push_back(kit_watermark(500));
  test.events.push_back(visit("b", 1, 1));
  test.events.push_back(kit_end());
  test.expect[""] = {R"({"user":"a","cnt":3,"total":6})", R"({"user":"a","cnt":3,"total":15})"};
  test.ordered = true;
  check_operator(test);
}

TEST_CASE("sliding count windows look back over the last rows") {
  KitCase test = session_case("{type: count, size: 5, slide: 2}", "{cnt: COUNT(*), list: LISTAGG(CAST(n AS STRING))}");
  for (int i = 1; i <= 9; ++i) test.events.push_back(visit("a", i, i));
  test.expect[""] = {R"({"user":"a","cnt":2,"list":"1,2"})", R"({"user":"a","cnt":4,"list":"1,2,3,4"})",
                     R"({"user":"a","cnt":5,"list":"2,3,4,5,6"})", R"({"user":"a","cnt":5,"list":"4,5,6,7,8"})"};
  test.ordered = true;
  check_operator(test);
}

TEST_CASE("a count window that slides by more than its size leaves rows out") {
  KitCase test = session_case("{type: count, size: 2, slide: 3}", "{list: LISTAGG(CAST(n AS STRING))}");
  for (int i = 1; i <= 7; ++i) test.events.push_back(visit("a", i, i));
  test.expect[""] = {R"({"user":"a","list":"2,3"})", R"({"user":"a","list":"5,6"})"};
  check_operator(test);
}

TEST_CASE("a global window fires after rows or time, whichever comes first, and is emptied") {
  KitCase test = session_case("{type: global, trigger: {any: [{every_rows: 3}, {every: 10s}]}}",
                              "{cnt: COUNT(*), first: FIRST_VALUE(n)}");
  test.events = {
      visit("a", 1, 0),     visit("a", 2, 1),     visit("a", 3, 2),     visit("a", 4, 5000),  visit("b", 5, 1000),
      kit_watermark(10999), kit_watermark(11000), kit_watermark(15000), visit("b", 6, 20000), kit_end()};
  test.expect[""] = {R"({"user":"a","cnt":3,"first":1})", R"({"user":"b","cnt":1,"first":5})",
                     R"({"user":"a","cnt":1,"first":4})", R"({"user":"b","cnt":1,"first":6})"};
  test.ordered = true;
  check_operator(test);
}

TEST_CASE("without purge a global window keeps its rows and its counter starts again") {
  KitCase test = session_case("{type: global, trigger: {every_rows: 2, purge: false}}", "{cnt: COUNT(*)}");
  for (int i = 1; i <= 5; ++i) test.events.push_back(visit("a", i, i));
  test.events.push_back(kit_end());
  test.expect[""] = {R"({"user":"a","cnt":2})", R"({"user":"a","cnt":4})"};
  check_operator(test);
}

TEST_CASE("all conditions of a trigger must hold") {
  KitCase test = session_case("{type: global, trigger: {all: [{every_rows: 2}, {every: 10s}]}}", "{cnt: COUNT(*)}");
  test.events = {visit("a", 1, 0),     visit("a", 2, 1),     visit("a", 3, 2),     visit("b", 4, 0),
                 kit_watermark(10000), visit("b", 5, 11000), visit("a", 6, 12000), kit_end()};
  test.expect[""] = {R"({"user":"a","cnt":3})", R"({"user":"b","cnt":2})"};
  check_operator(test);
}

TEST_CASE("processing-time triggers go by the wall clock") {
  KitCase test = session_case("{type: global, time: processing, trigger: {every: 10s}}", "{cnt: COUNT(*)}");
  test.events = {kit_clock(1000), visit("a", 1, 0), kit_clock(10999), kit_clock(11000), visit("a", 2, 0), kit_end()};
  test.expect[""] = {R"({"user":"a","cnt":1})"};
  check_operator(test);
}

TEST_CASE("session, count and global windows say what they need") {
  const std::string rest = "\naggregate: {c: COUNT(*)}";
  const char* const input = "user STRING, n INT";
  CHECK(bind_error("window: {type: session}" + rest, input) == "a session window needs `gap`");
  CHECK(bind_error("window: {type: session, gap: user}" + rest, input) ==
        "`gap` is a duration, or an expression of INTERVAL or milliseconds; this is STRING");
  CHECK(bind_error("window: {type: global}" + rest, input) == "a global window needs a `trigger`");
  CHECK(bind_error("window: {type: count, size: 3, offset: 1s}" + rest, input) ==
        "`offset` does not belong to count windows");
}

TEST_CASE("triggers nest: any of rows, or of rows and time together") {
  KitCase test = session_case(
      "{type: global, trigger: {any: [{every_rows: 4}, {all: [{every_rows: 2}, {every: 10s}]}, {every: 1m}]}}",
      "{cnt: COUNT(*)}");
  test.events = {visit("a", 1, 0),     visit("a", 2, 1000),   kit_watermark(9999),  kit_watermark(10000),
                 visit("a", 3, 20000), kit_watermark(40000),  visit("a", 4, 41000), visit("a", 5, 50000),
                 visit("a", 6, 51000), visit("a", 7, 52000),  visit("a", 8, 53000), visit("a", 9, 54000),
                 visit("b", 1, 60000), kit_watermark(119999), kit_watermark(120000)};
  test.expect[""] = {R"({"user":"a","cnt":2})", R"({"user":"a","cnt":2})", R"({"user":"a","cnt":4})",
                     R"({"user":"a","cnt":1})", R"({"user":"b","cnt":1})"};
  check_operator(test);
}

TEST_CASE("a trigger takes the place of the window's end") {
  const std::vector<KitEvent> events = {visit("a", 1, 0),     visit("a", 2, 1000),  visit("a", 3, 2000),
                                        kit_watermark(5000),  visit("a", 4, 10000), visit("a", 5, 11000),
                                        kit_watermark(19999), visit("a", 6, 12000), kit_end()};
  KitCase test = session_case("{type: tumbling, size: 10s, trigger: {every_rows: 2}}", "{cnt: COUNT(*)}");
  test.events = events;
  test.expect[""] = {R"({"user":"a","window_start":0,"window_end":10000,"cnt":2})",
                     R"({"user":"a","window_start":10000,"window_end":20000,"cnt":2})"};
  test.expect["late"] = {R"({"user":"a","n":6})"};
  check_operator(test);
  test = session_case("{type: tumbling, size: 10s, trigger: {every: 1s, purge: true}, allowed_lateness: 5s}",
                      "{cnt: COUNT(*), first: FIRST_VALUE(n)}");
  test.events = events;
  test.expect[""] = {R"({"user":"a","window_start":0,"window_end":10000,"cnt":3,"first":1})",
                     R"({"user":"a","window_start":10000,"window_end":20000,"cnt":2,"first":4})",
                     R"({"user":"a","window_start":10000,"window_end":20000,"cnt":1,"first":6})"};
  test.expect["late"] = {};
  check_operator(test);
}

TEST_CASE("sessions that merge merge their triggers") {
  KitCase test = session_case("{type: session, gap: 10s, trigger: {every_rows: 3}}", "{cnt: COUNT(*)}");
  test.events = {visit("a", 1, 0), visit("a", 2, 15000), visit("a", 3, 8000), visit("a", 4, 9000), kit_end()};
  test.expect[""] = {R"({"user":"a","window_start":0,"window_end":25000,"cnt":3})"};
  check_operator(test);
}

TEST_CASE("accumulate: false empties every kind of window when it fires") {
  KitCase test = session_case("{type: sliding, size: 10s, slide: 5s, allowed_lateness: 20s, accumulate: false}",
                              "{cnt: COUNT(*), first: FIRST_VALUE(n)}");
  test.events = {visit("a", 1, 6000), kit_watermark(9999), visit("a", 2, 7000), kit_end()};
  test.expect[""] = {R"({"user":"a","window_start":0,"window_end":10000,"cnt":1,"first":1})",
                     R"({"user":"a","window_start":0,"window_end":10000,"cnt":1,"first":2})",
                     R"({"user":"a","window_start":5000,"window_end":15000,"cnt":2,"first":1})"};
  check_operator(test);
}

TEST_CASE("mistakes in a trigger are named") {
  const auto error = [](const std::string& trigger) {
    return bind_error("id: w\nwindow: {type: global, trigger: " + trigger + "}\naggregate: {n: COUNT(*)}", "k INT");
  };
  CHECK(error("{any: [{every_rows: 2}, {evry: 1m}]}") == "unknown field `evry` in the trigger");
  CHECK(error("{purge: true}") == "the trigger has neither `every_rows` nor `every`");
  CHECK(error("{all: []}") == "`all` needs a list such as `[{every_rows: 100}, {every: 1m}]`");
  CHECK(bind_error("id: w\nwindow: {type: tumbling, size: 1s, emit_early_every: 1s, trigger: {every: 1s}}\n"
                   "aggregate: {n: COUNT(*)}",
                   "k INT") == "`emit_early_every` and `trigger` exclude each other");
}

}  // namespace millrace
