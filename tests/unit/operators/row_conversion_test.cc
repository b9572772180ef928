#include "runtime/state_rows/row_conversion.h"

#include <catch2/catch.hpp>

#include "data/row_codec.h"
#include "functions/aggregates/loops.h"
#include "functions/register_all.h"
#include "runtime/operators/state_fields.h"
#include "runtime/state_rows/state_text.h"

namespace millrace {

namespace {

const FunctionRegistry& conversion_all_functions() {
  static const auto functions = [] {
    auto made = std::make_unique<FunctionRegistry>();
    register_all_functions(*made);
    return made;
  }();
  return *functions;
}

StateField conversion_aggregate_of(const std::string& output, const std::string& function, const char* type,
                                   const char* result) {
  auto call = std::make_shared<StateAggregate>();
  call->function = function;
  call->args = {*parse_type(type)};
  call->result = *parse_type(result);
  call->text = function + "(x)";
  call->output = output;
  StateField field = state_field(output, StateForm::kAggregate);
  field.aggregate = std::move(call);
  return field;
}

StateSchema conversion_state_of(std::vector<StateField> value) {
  StateSchema schema;
  schema.name = "s";
  schema.form = "test";
  schema.value = std::move(value);
  return schema;
}

std::string conversion_shown(const StateSchema& schema, std::string_view value) {
  const auto text = StateText::make(state_layout(schema), "s", StateKind::kKeyed, conversion_all_functions());
  auto row = text->row("", value);
  REQUIRE(row);
  return *row;
}

/// The value of `from` as it looks after the conversion to `to`.
std::string conversion_converted(const StateSchema& from, const StateSchema& to, std::string_view value,
                                 const FormerNames& names = {}) {
  auto conversion = RowConversion::make(from, to, names, conversion_all_functions());
  REQUIRE(conversion);
  auto bytes = (*conversion)->convert(value);
  REQUIRE(bytes);
  return conversion_shown(to, *bytes);
}

std::string conversion_row_bytes(const std::vector<Field>& fields, int32_t a, std::string_view b) {
  Batch batch;
  batch.rows = 1;
  auto first = make_column(*fields[0].type);
  first->resize(1);
  first->values<int32_t>()[0] = a;
  auto second = make_column(*fields[1].type);
  second->resize(1);
  second->values<StringRef>()[0] = StringRef(b);
  batch.columns = {std::move(first), std::move(second)};
  std::string bytes;
  encode_row(batch, 0, bytes);
  return bytes;
}

}  // namespace

TEST_CASE("Accumulators are taken over in a new order, new ones start empty, MAX grows to BIGINT") {
  const StateSchema from = conversion_state_of({state_field("rows", StateForm::kInt64),
                                                conversion_aggregate_of("n", "COUNT", "INT", "BIGINT"),
                                                conversion_aggregate_of("top", "MAX", "INT", "INT")});
  ByteWriter out;
  out.put(int64_t{3});
  put_packed(out, 3);
  out.put(uint8_t{1});
  out.put(int32_t{-7});
  REQUIRE(conversion_shown(from, out.view()) == R"({"rows":3,"n":3,"top":-7})");
  const StateSchema to = conversion_state_of(
      {state_field("rows", StateForm::kInt64), conversion_aggregate_of("top", "MAX", "BIGINT", "BIGINT"),
       conversion_aggregate_of("least", "MIN", "INT", "INT"), conversion_aggregate_of("n", "COUNT", "INT", "BIGINT")});
  REQUIRE(conversion_converted(from, to, out.view()) == R"({"rows":3,"top":-7,"least":null,"n":3})");
}

TEST_CASE("Kept rows get, lose, rename and widen columns") {
  StateField row = state_field("row", StateForm::kRow);
  row.columns = {{"a", *parse_type("INT")}, {"b", *parse_type("STRING")}};
  const StateSchema from = conversion_state_of({list_field("rows", {state_field("time", StateForm::kTime), row})});
  ByteWriter out;
  out.put_varint(2);
  for (const int32_t a : {1, 2}) {
    out.put(int64_t{1000} * a);
    out.put_string(conversion_row_bytes(row.columns, a, "x"));
  }
  StateField wanted = state_field("row", StateForm::kRow);
  wanted.columns = {{"c", *parse_type("DOUBLE")}, {"a", *parse_type("BIGINT")}, {"text", *parse_type("STRING")}};
  const StateSchema to = conversion_state_of({list_field("rows", {state_field("time", StateForm::kTime), wanted})});
  REQUIRE(
      conversion_converted(from, to, out.view(), {{"text", "b"}}) ==
      R"({"rows":[{"time":1000,"row":{"c":null,"a":1,"text":"x"}},{"time":2000,"row":{"c":null,"a":2,"text":"x"}}]})");
}

TEST_CASE("States of a process are found by name; timers of a name that is gone are left out") {
  const auto cells = [](std::vector<std::string> names) {
    StateField field = state_field("states", StateForm::kCells);
    for (std::string& name : names) {
      StateField cell = state_field(name, StateForm::kOptional);
      cell.parts = {state_field("written", StateForm::kTime), value_field(name, *parse_type("INT")),
                    list_field("entries", {})};
      field.parts.push_back(std::move(cell));
    }
    return field;
  };
  const auto timers = [](std::vector<std::string> names) {
    StateField timer = state_field("timer", StateForm::kChoice);
    timer.names = std::move(names);
    return list_field("timers", {state_field("time", StateForm::kTime), timer});
  };
  const StateSchema from = conversion_state_of({cells({"count", "old"}), timers({"daily", "gone"})});
  ByteWriter out;
  out.put_varint(2);
  for (const int32_t value : {5, 6}) {
    out.put(uint8_t{1});
    out.put(int64_t{1});
    ByteWriter cell;
    cell.put(uint8_t{1});
    cell.put(value);
    out.put_string(cell.view());
    out.put_varint(0);
  }
  out.put_varint(3);
  for (const auto& [time, name] : {std::pair{10, 0U}, {20, 1U}, {30, 0U}}) {
    out.put(int64_t{time});
    out.put(name);
  }
  REQUIRE(conversion_shown(from, out.view()) ==
          R"({"count":5,"old":6,"timers":[{"time":10,"timer":"daily"},{"time":20,"timer":"gone"},)"
          R"({"time":30,"timer":"daily"}]})");
  const StateSchema to = conversion_state_of({cells({"fresh", "total"}), timers({"weekly", "daily"})});
  REQUIRE(conversion_converted(from, to, out.view(), {{"total", "count"}}) ==
          R"({"fresh":null,"total":5,"timers":[{"time":10,"timer":"daily"},{"time":30,"timer":"daily"}]})");
}

TEST_CASE("A row that does not fit its layout is an error, never a guess") {
  const StateSchema from = conversion_state_of(
      {state_field("rows", StateForm::kInt64), conversion_aggregate_of("n", "COUNT", "INT", "BIGINT")});
  const StateSchema to = conversion_state_of(
      {state_field("rows", StateForm::kInt64), conversion_aggregate_of("n", "COUNT", "BIGINT", "BIGINT")});
  auto conversion = RowConversion::make(from, to, {}, conversion_all_functions());
  REQUIRE(conversion);
  ByteWriter out;
  out.put(int64_t{3});
  put_packed(out, 3);
  const std::string whole(out.view());
  REQUIRE((*conversion)->convert(whole).has_value());
  for (size_t cut = 0; cut < whole.size(); ++cut) {
    REQUIRE((*conversion)->convert(whole.substr(0, cut)).error().code == ErrorCode::kCorruptState);
  }
  REQUIRE((*conversion)->convert(whole + "x").error().code == ErrorCode::kCorruptState);
}

}  // namespace millrace
