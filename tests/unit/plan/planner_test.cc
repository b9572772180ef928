#include "plan/planner.h"

#include <catch2/catch.hpp>

#include "tests/unit/plan/fake_registry.h"

namespace millrace {

namespace {

constexpr std::string_view kHello = R"yaml(version: 1
name: hello
sources:
  clicks: {type: datagen, schema: {user: STRING, flag: BOOLEAN, n: "BIGINT SEQUENCE(1, 1000)"}}
steps: [{filter: flag}]
sinks: {out: {type: print}}
)yaml";

constexpr std::string_view kFraud = R"yaml(version: 1
name: fraud-alerts
params:
  topic: {type: STRING, default: user_events}
settings:
  parallelism: 2
  checkpoint: {interval: 5s, mode: exactly_once}
sources:
  user_events:
    type: kafka
    brokers: ${KAFKA_BROKERS:-localhost:9092}
    topics: ["${params.topic}"]
    start_from: earliest
    format: {type: json, bad_record: dead_letter}
    schema:
      user_id:    STRING NOT NULL
      event_type: STRING
      is_purchase: BOOLEAN
      amount:     DECIMAL(10,2)
      event_time: TIMESTAMP(3) FROM epoch_millis
    event_time: {column: event_time, out_of_orderness: 5s, idle_timeout: 30s}
steps:
  - id: purchases
    filter: is_purchase
  - id: per_user
    key_by: [user_id]
    window: {type: tumbling, size: 1m}
    aggregate:
      purchases: COUNT(*)
    having: purchases > 10
sinks:
  alerts:
    type: kafka
    brokers: b:1
    topic: fraud_alerts
    key: [user_id]
    format: {type: json}
    delivery: at_least_once
  rejected:
    input: user_events.dead_letter
    type: file
    path: ./rejected/
    format: {type: json}
tests:
  - name: eleven
    given:
      user_events:
        - {$repeat: 11, user_id: u1, is_purchase: true, event_time: 1000}
        - {$advance_watermark_to: 60000}
    expect:
      per_user: [{user_id: u1, purchases: 11}]
)yaml";

std::string replaced(std::string_view text, std::string_view from, std::string_view to) {
  std::string out(text);
  const size_t at = out.find(from);
  REQUIRE(at != std::string::npos);
  return out.replace(at, from.size(), to);
}

std::vector<std::string> used_columns(const PlannedJob& job) {
  std::vector<std::string> names;
  for (const SourceColumn& column : job.graph.nodes.at(0).source->columns) {
    if (column.used) names.push_back(column.name);
  }
  return names;
}

}  // namespace

TEST_CASE("the small job is planned") {
  const PlannedJob job = plan_fake(kHello);
  INFO(mistakes_of(job));
  REQUIRE(job.ok);
  CHECK(mistakes_of(job).empty());
  REQUIRE(job.graph.nodes.size() == 3);
  CHECK(job.graph.nodes[1].id == "filter_1");
  CHECK(job.graph.nodes[1].type == "filter");
  CHECK(job.graph.nodes[0].source->columns[2].generator == "SEQUENCE(1, 1000)");
  CHECK(job.graph.nodes[0].source->format.name.empty());
  CHECK(job.graph.nodes[2].inputs[0].node == 1);
  CHECK(job.graph.nodes[2].sink->delivery == Delivery::kAtLeastOnce);
  CHECK(job.graph.settings.checkpoint.interval_ms == 10'000);
}

TEST_CASE("the complete example is planned") {
  const PlannedJob job = plan_fake(kFraud);
  INFO(mistakes_of(job));
  REQUIRE(job.ok);
  CHECK(mistakes_of(job).empty());
  const JobGraph& graph = job.graph;
  REQUIRE(graph.nodes.size() == 5);
  const SourceConfig& source = *graph.find("user_events")->source;
  CHECK(source.options.text("brokers") == "broker:9092");
  CHECK(source.options.texts("topics") == std::vector<std::string>{"user_events"});
  CHECK(source.columns[4].time_format == "epoch_millis");
  CHECK(source.event_time.column == 4);
  CHECK(source.event_time.out_of_orderness_ms == 5000);
  CHECK(source.event_time.idle_timeout_ms == 30'000);
  CHECK(source.format.bad_record == OnError::kDeadLetter);
  CHECK(graph.find("user_events")->outputs[1].name == "dead_letter");
  const Node& window = *graph.find("per_user");
  CHECK(window.parallelism == 2);
  CHECK(window.inputs[0].partitioning == Partitioning::kHash);
  CHECK(window.inputs[0].key_columns == std::vector<uint32_t>{0});
  CHECK(window.outputs[1].name == "late");
  const Node& alerts = *graph.find("alerts");
  CHECK(alerts.sink->key == std::vector<uint32_t>{0});
  CHECK(alerts.inputs[0].partitioning == Partitioning::kForward);
  CHECK(graph.find("rejected")->inputs[0].port == 1);
  CHECK(graph.find("rejected")->sink->schema == source_dead_letter_schema());
  REQUIRE(job.tests.size() == 1);
  CHECK(job.tests[0].given.find("user_events")->items.size() == 2);
}

TEST_CASE("sources decode only what the job reads") {
  CHECK(used_columns(plan_fake(kFraud)) == std::vector<std::string>{"user_id", "is_purchase", "event_time"});
  SpecOverrides all;
  all.keep_all_columns = true;
  CHECK(used_columns(plan_fake(kFraud, all)).size() == 5);
  CHECK(used_columns(plan_fake(kHello)).size() == 3);  // print shows every column
  // a reader of the late rows reads whole rows
  const std::string late = replaced(kFraud, "tests:\n", "  late: {type: print, input: per_user.late}\ntests:\n");
  CHECK(used_columns(plan_fake(late)).size() == 5);
}

TEST_CASE("computed columns are compiled, and what they read is used") {
  const std::string yaml =
      replaced(kFraud, "      event_type: STRING\n",
               "      event_type: BOOLEAN\n      a: BOOLEAN AS event_type\n      b: BOOLEAN AS a\n"
               "      off: BIGINT METADATA offset\n      deep: STRING NOT NULL FROM path user.id\n");
  const PlannedJob job = plan_fake(replaced(yaml, "filter: is_purchase", "filter: b"));
  INFO(mistakes_of(job));
  REQUIRE(job.ok);
  CHECK(used_columns(job) == std::vector<std::string>{"user_id", "event_type", "a", "b", "deep", "event_time"});
  const SourceConfig& source = *job.graph.nodes[0].source;
  CHECK(source.columns[4].metadata == "offset");
  CHECK(source.columns[5].path == std::vector<std::string>{"user", "id"});
  CHECK_FALSE(source.columns[5].type->nullable);
}

TEST_CASE("a resolved file plans to the same job without its surroundings, and keeps secrets out") {
  const std::string yaml =
      replaced(kFraud, "    start_from: earliest\n",
               "    start_from: earliest\n    group_id: \"a $$ b: #1\"\n    sasl_password: ${PASSWORD}\n");
  SpecOverrides overrides;
  overrides.params["topic"] = "other";
  overrides.settings = {{"settings.parallelism", "3"}, {"steps.per_user.parallelism", "5"}};
  const PlannedJob job = plan_fake(yaml, overrides);
  INFO(mistakes_of(job));
  REQUIRE(job.ok);
  CHECK(job.graph.settings.parallelism == 3);
  CHECK(job.graph.find("per_user")->parallelism == 5);
  CHECK(job.graph.nodes[0].source->options.text("sasl_password") == "auch geheim");
  CHECK(job.resolved_yaml.find("geheim") == std::string::npos);
  CHECK(job.resolved_yaml.find("${PASSWORD}") != std::string::npos);
  SpecOverrides bare;
  bare.environment = [](const std::string& name) -> std::optional<std::string> {
    return name == "PASSWORD" ? std::optional<std::string>("auch geheim") : std::nullopt;
  };
  const PlannedJob again = plan_fake(job.resolved_yaml, bare);
  INFO(job.resolved_yaml);
  INFO(mistakes_of(again));
  REQUIRE(again.ok);
  CHECK(again.resolved_yaml == job.resolved_yaml);
  CHECK(again.graph.nodes[0].source->options.text("brokers") == "broker:9092");
  CHECK(again.graph.nodes[0].source->options.texts("topics") == std::vector<std::string>{"other"});
  CHECK(again.graph.nodes[0].source->options.text("group_id") == "a $ b: #1");
  CHECK(again.graph.find("per_user")->parallelism == 5);
}

TEST_CASE("secrets come from outside and never from the file") {
  const std::string with = replaced(kFraud, "    start_from: earliest\n", "    secrets: {sasl_password: kafka}\n");
  const PlannedJob job = plan_fake(with);
  INFO(mistakes_of(job));
  REQUIRE(job.ok);
  CHECK(job.graph.nodes[0].source->options.text("sasl_password") == "geheim");
  CHECK(job.resolved_yaml.find("geheim") == std::string::npos);
  CHECK(mistakes_of(plan_fake(replaced(kFraud, "start_from: earliest", "sasl_password: hunter2"))).find("hunter2") ==
        std::string::npos);
  CHECK(mistakes_of(plan_fake(replaced(kFraud, "start_from: earliest", "sasl_password: hunter2")))
            .find("is a secret and cannot stand in the file") != std::string::npos);
  CHECK(mistakes_of(plan_fake(replaced(kFraud, "start_from: earliest", "secrets: {sasl_password: nope}")))
            .find("the secret `nope` does not exist") != std::string::npos);
}

TEST_CASE("print sinks replace all others on demand") {
  SpecOverrides overrides;
  overrides.print_sinks = true;
  const PlannedJob job = plan_fake(kFraud, overrides);
  INFO(mistakes_of(job));
  REQUIRE(job.ok);
  CHECK(job.graph.find("alerts")->type == "print");
  CHECK(job.graph.find("rejected")->type == "print");
  CHECK(job.graph.find("rejected")->inputs[0].port == 1);
}

TEST_CASE("parallelism and exchanges follow the file") {
  std::string yaml =
      replaced(kFraud, "    delivery: at_least_once\n", "    delivery: at_least_once\n    parallelism: 3\n");
  yaml = replaced(yaml, "path: ./rejected/", "path: ./rejected.jsonl");
  const PlannedJob job = plan_fake(yaml);
  INFO(mistakes_of(job));
  REQUIRE(job.ok);
  CHECK(job.graph.find("alerts")->parallelism == 3);
  CHECK(job.graph.find("alerts")->inputs[0].partitioning == Partitioning::kHash);  // keys keep their order
  CHECK(job.graph.find("rejected")->parallelism == 1);                             // one file
  SpecOverrides wide;
  wide.settings = {{"settings.parallelism", "8"}};
  CHECK(plan_fake(kFraud, wide).graph.find("alerts")->parallelism == 4);
  const PlannedJob global = plan_fake(replaced(kFraud, "    key_by: [user_id]\n", "    key_by: user_id\n"));
  CHECK(global.graph.find("per_user")->inputs[0].key_columns == std::vector<uint32_t>{0});
}

TEST_CASE("a global step runs in one subtask and gets all rows") {
  const std::string yaml = replaced(replaced(kFraud, "    key_by: [user_id]\n", ""), "    key: [user_id]\n", "");
  const PlannedJob job = plan_fake(yaml);
  INFO(mistakes_of(job));
  REQUIRE(job.ok);
  CHECK(job.graph.find("per_user")->parallelism == 1);
  CHECK(job.graph.find("per_user")->inputs[0].partitioning == Partitioning::kGlobal);
}

TEST_CASE("dead letters of steps and sinks are outputs") {
  std::string yaml =
      replaced(kFraud, "    filter: is_purchase\n", "    filter: is_purchase\n    on_error: dead_letter\n");
  yaml = replaced(yaml, "    delivery: at_least_once\n", "    delivery: at_least_once\n    on_error: dead_letter\n");
  const PlannedJob unread = plan_fake(yaml);
  CHECK(mistakes_of(unread).find("W0605 nothing reads `purchases.dead_letter`") != std::string::npos);
  yaml = replaced(yaml, "  rejected:\n",
                  "  refused: {input: alerts.dead_letter, type: print}\n"
                  "  failed: {input: purchases.dead_letter, type: print}\n  rejected:\n");
  const PlannedJob job = plan_fake(yaml);
  INFO(mistakes_of(job));
  REQUIRE(job.ok);
  CHECK(mistakes_of(job).empty());
  const Node& refused = *job.graph.find("refused");
  CHECK(job.graph.nodes[refused.inputs[0].node].id == "alerts");
  CHECK(refused.inputs[0].port == 0);
  CHECK(job.graph.find("purchases")->outputs.back().name == "dead_letter");
}

TEST_CASE("updating streams need sinks that take them") {
  const std::string running = replaced(
      kFraud,
      "    window: {type: tumbling, size: 1m}\n    aggregate:\n      purchases: COUNT(*)\n    having: purchases > 10\n",
      "    aggregate: {purchases: COUNT(*)}\n");
  const PlannedJob job = plan_fake(running);
  INFO(mistakes_of(job));
  REQUIRE(job.ok);
  CHECK(job.graph.find("alerts")->sink->changelog == Changelog::kUpsert);
  CHECK(mistakes_of(plan_fake(replaced(running, "    key: [user_id]\n", ""))) ==
        "29:3 E0209 sink `alerts` needs a `key`: `per_user` sends updates; write `key: [user_id]`\n");
  CHECK(
      mistakes_of(plan_fake(replaced(running, "  rejected:\n", "  hole: {type: blackhole}\n  rejected:\n"))) ==
      "36:3 E0209 sink `hole`: `blackhole` cannot take the updates of `per_user`; write to a sink that takes updates, "
      "or make the results final with a window\n");
}

TEST_CASE("parameters have types and values") {
  std::string yaml =
      replaced(kHello, "sources:", "params: {on: {type: BOOLEAN, default: true}, limit: {type: INT}}\nsources:");
  yaml = replaced(yaml, "filter: flag", "filter: $on");
  CHECK(mistakes_of(plan_fake(yaml)) ==
        "3:46 E0107 the parameter `limit` has no default and no value; pass --param limit=…\n");
  SpecOverrides overrides;
  overrides.params = {{"limit", "7"}};
  CHECK(plan_fake(yaml, overrides).ok);
  overrides.params = {{"limit", "7.5"}, {"limitt", "1"}};
  CHECK(mistakes_of(plan_fake(yaml, overrides)) ==
        "0:0 E0107 --param limitt: the job has no such parameter; a parameter with a similar name exists: `limit`\n"
        "3:46 E0106 parameter `limit`: `7.5` is not a value of type INT\n");
}

TEST_CASE("warnings do not stop a job") {
  const PlannedJob job = plan_fake(replaced(kFraud, ", idle_timeout: 30s", ""));
  CHECK(job.ok);
  CHECK(mistakes_of(job).substr(0, 11) == "21:17 W0601");
  const PlannedJob unused =
      plan_fake(replaced(kHello, "sources:\n", "sources:\n  spare: {type: datagen, schema: {a: INT}}\n"));
  CHECK_FALSE(unused.ok);  // two sources: the first step must say which
}

TEST_CASE("settings are read") {
  const PlannedJob job = plan_fake(replaced(kFraud, "  checkpoint: {interval: 5s, mode: exactly_once}\n",
                                            "  checkpoint: {dir: \"file:///data/chk\", retain: 5}\n"
                                            "  restart: {strategy: failure_rate, max: 5, per: 1h, delay: 2s}\n"
                                            "  batch_rows: 512\n"));
  INFO(mistakes_of(job));
  REQUIRE(job.ok);
  CHECK(job.graph.settings.checkpoint.directory == "/data/chk");
  CHECK(job.graph.settings.checkpoint.retain == 5);
  CHECK(job.graph.settings.restart.strategy == RestartSettings::Strategy::kFailureRate);
  CHECK(job.graph.settings.restart.rate_max == 5);
  CHECK(job.graph.settings.restart.rate_per_ms == 3'600'000);
  CHECK(job.graph.settings.batch_rows == 512);
}

}  // namespace millrace
