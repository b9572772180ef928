// Job files with mistakes: each with the whole list of what the planner says.
#include <catch2/catch.hpp>

#include "tests/unit/plan/fake_registry.h"

namespace millrace {

namespace {

/// A job with a part left open.
std::string wrong_job(std::string_view source_fields, std::string_view steps,
                      std::string_view sinks = "  out: {type: print}\n") {
  return "version: 1\nname: job\nsources:\n  bids:\n    type: kafka\n    brokers: b:1\n    topics: t\n" +
         std::string(source_fields) + "steps:\n" + std::string(steps) + "sinks:\n" + std::string(sinks);
}

constexpr std::string_view kSchema = "    schema: {price: BOOLEAN, user: STRING, at: TIMESTAMP(3)}\n";

std::string mistakes_in(std::string_view yaml) { return mistakes_of(plan_fake(yaml)); }

}  // namespace

TEST_CASE("a wrong column in a filter is shown as in the handbook") {
  const std::string yaml = wrong_job(kSchema, "  - id: cheap\n    filter: pirce\n");
  const PlannedJob job = plan_fake(yaml);
  CHECK_FALSE(job.ok);
  Diagnostics errors;
  for (const Diagnostic& d : job.diagnostics.all()) {
    if (d.severity == Severity::kError) errors.add(d);
  }
  CHECK(render_text(errors, {"job.yaml", yaml}) ==
        "error[E0203]: unknown column `pirce`\n"
        "  --> job.yaml:11:13\n"
        "   |\n"
        "11 |     filter: pirce\n"
        "   |             ^^^^^ no such column in the output of `bids`\n"
        "   = help: a column with a similar name exists: `price`\n");
}

TEST_CASE("an empty job names everything that is missing") {
  CHECK(mistakes_in("{}\n") ==
        "1:1 E0104 the job file needs the field `version`; for example `version: 1`\n"
        "1:1 E0104 the job file needs the field `name`; for example `name: fraud-alerts`\n"
        "1:1 E0104 the job file needs the field `sources`; for example `sources: {clicks: {type: datagen, …}}`\n"
        "1:1 E0104 the job file needs the field `sinks`; for example `sinks: {out: {type: print}}`\n");
  CHECK(mistakes_in("- a\n").substr(0, 52) == "1:1 E0105 a job file is a mapping, not a list; it st");
}

TEST_CASE("the version, the name and unknown fields of the top are checked") {
  CHECK(
      mistakes_in("version: 2\nname: a/b\nsource: {}\nsources: {}\nsinks: []\n") ==
      "1:10 E0108 this build reads `version: 1`\n"
      "2:7 E0106 `a/b` cannot be a job's name; letters, digits, `.`, `_` and `-`, at most 100, not starting with `.`\n"
      "3:1 E0103 unknown field `source` in the job file; a field with a similar name exists: `sources`\n"
      "4:10 E0105 `sources` is empty\n"
      "5:8 E0105 `sinks` is empty\n");
}

TEST_CASE("connectors, formats and their options are checked") {
  CHECK(mistakes_in("version: 1\nname: j\nsources: {a: {type: kafak, schema: {x: INT}}}\nsinks: {b: {type: redis}, c: "
                    "{type: file}}\n") ==
        "3:21 E0301 unknown source connector `kafak`; one with a similar name exists: `kafka`\n"
        "4:19 E0207 the sink connector `redis` is not supported by this build\n"
        "4:30 E0104 sink `c` needs the field `path`\n");
  CHECK(
      mistakes_in(wrong_job("    format: {type: jsno, bad_record: ignore}\n    grup_id: x\n    schema: {x: BOOLEAN}\n",
                            "  - filter: x\n", "  out: {type: print, format: csv, delivery: exactly_once}\n")) ==
      "8:20 E0301 unknown format `jsno`; one with a similar name exists: `json`\n"
      "8:38 E0106 `bad_record` must be `fail`, `skip` or `dead_letter`, not `ignore`\n"
      "9:5 E0103 unknown field `grup_id` in source `bids`; a field with a similar name exists: `group_id`\n"
      "14:30 E0207 the format `csv` is not supported by this build\n"
      "14:45 E0308 `print` cannot deliver exactly_once; it can: `at_least_once`, `none`\n");
}

TEST_CASE("schemas are checked entry by entry") {
  CHECK(mistakes_in(wrong_job("    schema:\n"
                              "      a: STRNG\n"
                              "      b: {x: INT}\n"
                              "      c: STRING FROM epoch_millis\n"
                              "      d: TIMESTAMP(3) FROM epoch_milis\n"
                              "      e: BIGINT METADATA ofset\n"
                              "      f: STRING FROM path a..b\n"
                              "      g: BIGINT SEQUENCE(1, 2)\n"
                              "      h: BOOLEAN AS\n",
                              "  - filter: x\n"))
            .find("9:10 E0206") == 0);
  const std::string all =
      mistakes_in(wrong_job("    schema:\n"
                            "      c: STRING FROM epoch_millis\n"
                            "      d: TIMESTAMP(3) FROM epoch_milis\n"
                            "      e: BIGINT METADATA ofset\n"
                            "      f: STRING FROM path a..b\n"
                            "      g: BIGINT SEQUENCE(1, 2)\n"
                            "      h: BOOLEAN AS\n",
                            "  - filter: x\n"));
  CHECK(
      all ==
      "9:22 E0205 FROM with a form of time needs a TIMESTAMP, DATE or TIME column, not STRING\n"
      "10:28 E0106 FROM epoch_milis is not understood; FROM epoch_millis, epoch_seconds, iso8601, 'yyyy-MM-dd "
      "HH:mm:ss' or path a.b\n"
      "11:26 E0106 `kafka` has no metadata `ofset`; it has: topic, partition, offset, timestamp, key, headers\n"
      "12:27 E0106 a path is names joined by dots, such as `user.id`\n"
      "13:17 E0106 `SEQUENCE(1,` behind the type of column `g` is not understood; a type may be followed by NOT NULL, "
      "FROM …, AS … or METADATA …\n"
      "14:18 E0106 an expression is missing behind AS\n");
}

TEST_CASE("a type with a comma inside braces says that it needs quotes") {
  const std::string mistakes =
      mistakes_in(wrong_job("    schema: {amount: DECIMAL(10,2), x: BOOLEAN}\n", "  - filter: x\n"));
  CHECK(mistakes.find("8:22 E0206") == 0);
  CHECK(mistakes.find("types with commas inside `{…}` need quotes") != std::string::npos);
  CHECK(std::count(mistakes.begin(), mistakes.end(), '\n') == 1);
}

TEST_CASE("computed columns and the event time must exist and fit") {
  CHECK(mistakes_in(wrong_job("    schema:\n      a: BOOLEAN AS b\n      b: BOOLEAN AS c\n      c: BOOLEAN AS nope\n"
                              "    event_time: {column: a}\n",
                              "  - filter: a\n")) ==
        "9:21 E0209 the computed column `a` reads `b`, which is computed after it; declare it above\n"
        "10:21 E0209 the computed column `b` reads `c`, which is computed after it; declare it above\n"
        "11:21 E0203 unknown column `nope`\n");
  CHECK(mistakes_in(wrong_job(
            "    schema: {a: BOOLEAN, at: TIMESTAMP(3)}\n    event_time: {column: att, out_of_orderness: -1s}\n",
            "  - filter: a\n")) ==
        "9:26 E0203 source `bids` has no column `att`; a column with a similar name exists: `at`\n"
        "9:49 E0106 `out_of_orderness` must be at least 0s, not `-1s`\n");
}

TEST_CASE("steps are checked for operators, fields, inputs and keys") {
  CHECK(
      mistakes_in(
          wrong_job(kSchema,
                    "  - fliter: price\n  - {filter: price, union: [bids]}\n  - {id: s}\n  - {sort: {}}\n  - text\n"
                    "  - {filter: price, input: later}\n  - {id: later, filter: price}\n"
                    "  - {id: later, filter: price, input: bisd}\n"
                    "  - {filter: price, input: bids.dead_letter}\n"
                    "  - {id: w, input: bids, key_by: [usr], window: {}, aggregate: {n: COUNT(*)}}\n"
                    "  - {input: bids, key_by: [user], aggregate: {n: COUNT(*)}}\n"
                    "  - {filter: price, input: bids, inputs: [bids], paralelism: 2}\n")) ==
      "10:5 E0103 unknown operator `fliter`; one with a similar name exists: `filter`\n"
      "11:5 E0209 a step has one operator; this one has `filter` and `union`; make two steps of it\n"
      "12:5 E0104 the step has no operator; operators: aggregate, filter, union, window\n"
      "13:6 E0207 the operator `sort` is not supported by this build\n"
      "14:5 E0105 a step needs a mapping of fields, not a text\n"
      "15:28 E0202 `later` is declared below and cannot be read here; a step reads sources and steps above it\n"
      "17:10 E0208 the name `later` is used twice; sources, steps and sinks share one name space; the first one is in "
      "line 16\n"
      "17:39 E0202 there is no source or step `bisd`; a source or step with a similar name exists: `bids`\n"
      "18:28 E0202 `bids` has no output `dead_letter`; write `format: {type: json, bad_record: dead_letter}` in source "
      "`bids`\n"
      "19:35 E0203 unknown column `usr`; a column with a similar name exists: `user`\n"
      "20:5 E0104 the step keeps state and needs an `id`: the address of its state in checkpoints; write `id: "
      "aggregate_11` or another name that stays\n"
      "21:42 E0209 `input` and `inputs` exclude each other\n"
      "21:50 E0103 unknown field `paralelism` in step `filter_12`; a field with a similar name exists: "
      "`parallelism`\n");
}

TEST_CASE("a mistake in a source is not repeated by the steps behind it") {
  CHECK(mistakes_in(wrong_job("    schema: {price: BOLEAN}\n", "  - filter: price\n  - {filter: nope}\n",
                              "  out: {type: print, key: [x]}\n"))
            .find("E0203") == std::string::npos);
}

TEST_CASE("with several sources the first step must say which it reads") {
  CHECK(mistakes_in(
            "version: 1\nname: j\nsources: {a: {type: datagen, schema: {x: BOOLEAN}}, b: {type: datagen, schema: {x: "
            "BOOLEAN}}}\nsteps: [{filter: x}]\nsinks: {out: {type: print}}\n") ==
        "4:9 E0104 step `filter_1` needs an `input`: the job has several sources; sources: `a`, `b`\n");
}

TEST_CASE("settings are checked") {
  CHECK(
      mistakes_in(
          "settings: {parallelism: 0, max_paralelism: 4, time_zone: Europe/Berlin, checkpoint: {interval: 10, mode: "
          "twice}, state: {backend: rocksdb}, restart: {strategy: fixed, attempts: many, per: 1s}}\n" +
          wrong_job(kSchema, "  - filter: price\n")) ==
      "1:25 E0106 `parallelism` must be between 1 and 32768, not `0`\n"
      "1:28 E0103 unknown field `max_paralelism` in settings; a field with a similar name exists: `max_parallelism`\n"
      "1:58 E0207 time zones other than UTC are not supported by this build\n"
      "1:96 E0106 `interval` needs a duration such as `10s`, not `10`\n"
      "1:106 E0106 `mode` must be `exactly_once` or `at_least_once`, not `twice`\n"
      "1:178 E0106 `attempts` needs a whole number, not `many`\n"
      "1:184 E0103 unknown field `per` in settings.restart (strategy fixed); fields here: strategy, attempts, delay\n");
}

TEST_CASE("tests are checked against the job") {
  CHECK(mistakes_in(wrong_job(kSchema, "  - {id: f, filter: price}\n") +
                    "tests:\n"
                    "  - name: one\n"
                    "    given: {bid: [{price: true}], f: []}\n"
                    "    expect: {ff: [], out: {a: 1}, f: [{$repeat: 2}]}\n"
                    "  - {given: {bids: [{$repaet: 3}, [1]]}}\n") ==
        "15:13 E0202 there is no source `bid`; a similar name exists: `bids`\n"
        "15:35 E0202 there is no source `f`\n"
        "16:14 E0202 there is no source, step or sink `ff`; a similar name exists: `f`\n"
        "16:27 E0105 `out` needs a list of rows, not a mapping\n"
        "16:40 E0103 there is no control `$repeat` under `expect`\n"
        "17:5 E0104 a test needs the field `name`; for example `name: eleven purchases raise an alert`\n"
        "17:5 E0104 a test needs the field `expect`; for example `expect: {filter_1: []}`\n"
        "17:22 E0103 there is no control `$repaet`; did you mean `$repeat`?\n"
        "17:35 E0105 a row needs a mapping `column: value`, not a list\n");
}

TEST_CASE("overrides that lead nowhere are reported") {
  SpecOverrides overrides;
  overrides.settings = {{"steps.nope.parallelism", "2"}, {"name.x", "1"}, {"settings.paralelism", "2"}, {"", "1"}};
  CHECK(mistakes_of(plan_fake(wrong_job(kSchema, "  - {id: f, filter: price}\n"), overrides)) ==
        "0:0 E0202 --set steps.nope.parallelism: there is no step with the id `nope`\n"
        "0:0 E0105 --set name.x: there is no mapping to set `x` in\n"
        "0:0 E0106 --set : not a path; for example settings.parallelism=2\n"
        "0:0 E0103 unknown field `paralelism` in settings; a field with a similar name exists: `parallelism`\n");
}

TEST_CASE("any text is answered with a mistake and never with a crash") {
  const std::string good = wrong_job(kSchema, "  - {id: f, filter: price}\n");
  for (size_t cut = 0; cut < good.size(); cut += 3) {
    const PlannedJob job = plan_fake(good.substr(0, cut));
    CHECK(job.ok == !job.diagnostics.has_errors());
  }
  for (size_t i = 0; i < good.size(); ++i) {
    std::string bent = good;
    bent[i] = "{}[]:-,'\"&*!|>%@\n\t\x01\xff"[i % 20];
    const PlannedJob job = plan_fake(bent);
    CHECK(job.ok == !job.diagnostics.has_errors());
  }
}

}  // namespace millrace
