#include "state/protocol/state_plan.h"

#include <catch2/catch.hpp>

namespace millrace {

namespace {

StateField plan_plain(std::string name, StateForm form) {
  StateField field;
  field.name = std::move(name);
  field.form = form;
  return field;
}

StateField plan_key_of(std::vector<Field> columns) {
  StateField field = plan_plain("key", StateForm::kKey);
  field.columns = std::move(columns);
  return field;
}

StateField plan_sum_of(const std::string& output, const std::string& text, const char* type = "INT",
                       const char* function = "SUM") {
  auto call = std::make_shared<StateAggregate>();
  call->function = function;
  call->args = {*parse_type(type)};
  call->result = *parse_type("BIGINT");
  call->text = text;
  call->output = output;
  StateField field = plan_plain(output, StateForm::kAggregate);
  field.aggregate = std::move(call);
  return field;
}

StateSchema plan_window_of(std::vector<StateField> aggregates, const std::string& size = "1m",
                           const char* key_type = "STRING") {
  StateSchema schema;
  schema.name = "window";
  schema.form = "tumbling window";
  schema.rules = {{"size", size}};
  schema.key = {plan_plain("window_start", StateForm::kTime), plan_key_of({{"user_id", *parse_type(key_type)}})};
  schema.value = std::move(aggregates);
  return schema;
}

StateSchema plan_dedup_of(const char* columns_row) {
  StateSchema schema;
  schema.name = "dedup";
  schema.form = "dedup";
  schema.key = {plan_key_of({{"id", *parse_type("BIGINT")}})};
  StateField row = plan_plain("row", StateForm::kRow);
  const TypePtr type = *parse_type(columns_row);
  for (size_t i = 0; i < type->children.size(); ++i) row.columns.push_back({type->field_names[i], type->children[i]});
  schema.value = {plan_plain("time", StateForm::kTime), row};
  return schema;
}

CheckpointFacts plan_checkpoint_of(const std::string& step, const std::vector<StateSchema>& states,
                                   uint64_t rows = 10) {
  CheckpointFacts facts;
  facts.max_parallelism = 128;
  for (const StateSchema& schema : states) {
    facts.states.push_back({{step, schema.name, schema.kind, state_layout(schema)}, rows, rows * 100});
  }
  return facts;
}

JobGraph plan_job_of(const std::string& step, std::vector<StateSchema> states, const std::string& was = "",
                     FormerNames names = {}) {
  JobGraph graph;
  Node node;
  node.id = step;
  node.type = "filter";
  node.was = was;
  node.was_names = std::move(names);
  node.states = std::move(states);
  graph.nodes.push_back(std::move(node));
  return graph;
}

PlannedState plan_only(const StatePlan& plan) {
  REQUIRE(plan.states.size() == 1);
  return plan.states[0];
}

PlannedState plan_change(const StateSchema& from, const StateSchema& to, const FormerNames& names = {}) {
  return plan_only(plan_state(plan_checkpoint_of("s", {from}), plan_job_of("s", {to}, "", names)));
}

}  // namespace

TEST_CASE("A state that is as it was is restored, one that nobody saved is new") {
  const StateSchema window = plan_window_of({plan_sum_of("spent", "SUM(amount)")});
  REQUIRE(plan_change(window, window).fate == StateFate::kRestored);
  REQUIRE_FALSE(plan_change(window, window).convert());
  const PlannedState fresh = plan_only(plan_state({128, {}, false}, plan_job_of("s", {window})));
  REQUIRE(fresh.fate == StateFate::kNew);
}

TEST_CASE("State of a step that is gone is refused by name, unless dropping it is allowed") {
  const StateSchema window = plan_window_of({plan_sum_of("spent", "SUM(amount)")});
  const StatePlan plan = plan_state(plan_checkpoint_of("gone", {window}), plan_job_of("kept", {}));
  REQUIRE(plan_only(plan).fate == StateFate::kDropped);
  const Status refused = check_state_plan(plan, false);
  REQUIRE(refused.error().code == ErrorCode::kRefusedByState);
  REQUIRE(refused.error().message.find("`gone`") != std::string::npos);
  REQUIRE(check_state_plan(plan, true).has_value());
  REQUIRE(check_state_plan(plan_state(plan_checkpoint_of("gone", {window}, 0), plan_job_of("kept", {})), false)
              .has_value());
  CheckpointFacts spilled = plan_checkpoint_of("gone", {window}, 0);
  spilled.more_in_files = true;  // the rows may be there
  REQUIRE_FALSE(check_state_plan(plan_state(spilled, plan_job_of("kept", {})), false).has_value());
}

TEST_CASE("A renamed step finds its state under its former id until a checkpoint carries the new one") {
  const StateSchema window = plan_window_of({plan_sum_of("spent", "SUM(amount)")});
  const PlannedState renamed =
      plan_only(plan_state(plan_checkpoint_of("old", {window}), plan_job_of("new", {window}, "old")));
  REQUIRE(renamed.fate == StateFate::kRestored);
  REQUIRE(renamed.held.step == "old");
  REQUIRE(renamed.wanted.step == "new");
  const PlannedState again =
      plan_only(plan_state(plan_checkpoint_of("new", {window}), plan_job_of("new", {window}, "old")));
  REQUIRE(again.held.step == "new");
}

TEST_CASE("A step that became another kind of step is refused with both kinds") {
  const StateSchema window = plan_window_of({plan_sum_of("spent", "SUM(amount)")});
  const StatePlan plan = plan_state(plan_checkpoint_of("s", {window}), plan_job_of("s", {plan_dedup_of("ROW<a INT>")}));
  const Status refused = check_state_plan(plan, true);
  REQUIRE(refused.error().code == ErrorCode::kIncompatibleState);
  REQUIRE(refused.error().message.find("was a tumbling window, and is a dedup now") != std::string::npos);
  const StatePlan stateless = plan_state(plan_checkpoint_of("s", {window}), plan_job_of("s", {}));
  REQUIRE(plan_only(stateless).reason == "`s` was a tumbling window, and is a filter now");
}

TEST_CASE("What the rows depend on may not change: size, key, max_parallelism") {
  const std::vector<StateField> sum = {plan_sum_of("spent", "SUM(amount)")};
  REQUIRE(plan_change(plan_window_of(sum), plan_window_of(sum, "2m")).reason == "`size` was 1m, is 2m");
  REQUIRE(plan_change(plan_window_of(sum), plan_window_of(sum, "1m", "BIGINT")).reason ==
          "the key was (user_id STRING), is (user_id BIGINT)");
  StatePlan plan = plan_state({64, {}, false}, plan_job_of("s", {plan_window_of(sum)}));
  REQUIRE(check_state_plan(plan, true).error().help.find("max_parallelism to 64") != std::string::npos);
}

TEST_CASE("Aggregates are found by what they compute: added, dropped, renamed, reordered") {
  const StateField spent = plan_sum_of("spent", "SUM(amount)");
  const StateField largest = plan_sum_of("largest", "MAX(amount)", "INT", "MAX");
  const PlannedState added = plan_change(plan_window_of({spent}), plan_window_of({spent, largest}));
  REQUIRE(added.fate == StateFate::kMigrated);
  REQUIRE(added.changes == std::vector<PartChange>{{PartFate::kAdded, "largest: MAX(amount)", "", ""}});
  const PlannedState dropped = plan_change(plan_window_of({spent, largest}), plan_window_of({spent}));
  REQUIRE(dropped.changes == std::vector<PartChange>{{PartFate::kDropped, "largest: MAX(amount)", "", ""}});
  const PlannedState renamed =
      plan_change(plan_window_of({spent}), plan_window_of({plan_sum_of("total", "SUM(amount)")}));
  REQUIRE(renamed.changes ==
          std::vector<PartChange>{{PartFate::kRenamed, "total: SUM(amount)", "spent: SUM(amount)", ""}});
  const PlannedState reordered = plan_change(plan_window_of({spent, largest}), plan_window_of({largest, spent}));
  REQUIRE(reordered.fate == StateFate::kRestored);
  REQUIRE(reordered.convert());
}

TEST_CASE("One name for two calculations is refused; `was:` says that it is one") {
  const StateSchema from = plan_window_of({plan_sum_of("spent", "SUM(amount)")});
  const StateSchema to = plan_window_of({plan_sum_of("spent", "SUM(price)")});
  REQUIRE(plan_change(from, to).reason == "`spent` was SUM(amount), is SUM(price)");
  REQUIRE(plan_change(from, to, {{"spent", "spent"}}).fate == StateFate::kRestored);
  REQUIRE(plan_change(from, plan_window_of({plan_sum_of("total", "SUM(price)")}), {{"total", "spent"}}).fate ==
          StateFate::kMigrated);
}

TEST_CASE("Accumulators grow with their types where their bytes allow it") {
  struct Row {
    const char* function;
    const char* from;
    const char* to;
    AggregateFit fit;
  };
  const Row rows[] = {{"SUM", "INT", "BIGINT", AggregateFit::kSameBytes},
                      {"AVG", "FLOAT", "DOUBLE", AggregateFit::kSameBytes},
                      {"COUNT", "INT", "STRING", AggregateFit::kSameBytes},
                      {"MAX", "INT", "BIGINT", AggregateFit::kConvert},
                      {"MAX", "SMALLINT", "INT", AggregateFit::kSameBytes},
                      {"FIRST_VALUE", "FLOAT", "DOUBLE", AggregateFit::kConvert},
                      {"MIN", "DECIMAL(10, 2)", "DECIMAL(12, 4)", AggregateFit::kConvert},
                      {"SUM", "DECIMAL(10, 2)", "DECIMAL(12, 2)", AggregateFit::kSameBytes},
                      {"SUM", "DECIMAL(10, 2)", "DECIMAL(12, 4)", AggregateFit::kNever},
                      {"SUM", "BIGINT", "INT", AggregateFit::kNever},
                      {"STDDEV_POP", "INT", "BIGINT", AggregateFit::kNever}};
  for (const Row& row : rows) {
    INFO(row.function << " " << row.from << " " << row.to);
    const StateField from = plan_sum_of("x", "x", row.from, row.function);
    const StateField to = plan_sum_of("x", "x", row.to, row.function);
    REQUIRE(fit_aggregate(*from.aggregate, *to.aggregate) == row.fit);
  }
}

TEST_CASE("Columns of kept rows: added when they may be NULL, dropped, widened, renamed") {
  const auto from = plan_dedup_of("ROW<a INT, b STRING>");
  REQUIRE(plan_change(from, plan_dedup_of("ROW<a BIGINT, b STRING, c DOUBLE>")).fate == StateFate::kMigrated);
  REQUIRE(plan_change(from, plan_dedup_of("ROW<a INT>")).changes ==
          std::vector<PartChange>{{PartFate::kDropped, "b", "", ""}});
  REQUIRE(plan_change(from, plan_dedup_of("ROW<a INT, text STRING>"), {{"text", "b"}}).changes ==
          std::vector<PartChange>{{PartFate::kRenamed, "text", "b", ""}});
  REQUIRE(plan_change(from, plan_dedup_of("ROW<a INT, b STRING, c INT NOT NULL>")).fate == StateFate::kImpossible);
  REQUIRE(plan_change(from, plan_dedup_of("ROW<a STRING, b STRING>")).reason == "the column `a` was INT, is STRING");
  REQUIRE(plan_change(from, plan_dedup_of("ROW<a SMALLINT, b STRING>")).fate == StateFate::kImpossible);
}

TEST_CASE("A layout of another build that cannot be read is refused, unless no row has it") {
  StateSchema sink = opaque_schema("file", StateKind::kSubtask, "path, length");
  CheckpointFacts facts = plan_checkpoint_of("out", {sink});
  facts.states[0].state.layout = "path";
  REQUIRE(plan_only(plan_state(facts, plan_job_of("out", {sink}))).fate == StateFate::kImpossible);
  facts.states[0].rows = 0;
  REQUIRE(plan_only(plan_state(facts, plan_job_of("out", {sink}))).fate == StateFate::kNew);
}

TEST_CASE("Layouts come back from their text") {
  StateSchema schema =
      plan_window_of({plan_sum_of("spent", "SUM(amount)"), plan_sum_of("n", "COUNT(x)", "STRING", "COUNT")});
  StateField list = plan_plain("rows", StateForm::kList);
  list.parts = {plan_plain("time", StateForm::kTime), plan_dedup_of("ROW<a INT NOT NULL, b ARRAY<STRING>>").value[1]};
  StateField timers = plan_plain("timer", StateForm::kChoice);
  timers.names = {"daily", "x\"y"};
  schema.value.push_back(list);
  schema.value.push_back(timers);
  const std::string layout = state_layout(schema);
  const auto again = parse_state_layout(layout, "window", StateKind::kKeyed);
  REQUIRE(again);
  REQUIRE(state_layout(*again) == layout);
  for (size_t cut = 0; cut < layout.size(); ++cut) {
    REQUIRE_FALSE(parse_state_layout(layout.substr(0, cut), "window", StateKind::kKeyed));
  }
}

}  // namespace millrace
