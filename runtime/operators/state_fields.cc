#include "runtime/operators/state_fields.h"

#include <algorithm>

namespace millrace {

StateField state_field(std::string name, StateForm form) {
  StateField field;
  field.name = std::move(name);
  field.form = form;
  return field;
}

StateField list_field(std::string name, std::vector<StateField> parts) {
  StateField field = state_field(std::move(name), StateForm::kList);
  field.parts = std::move(parts);
  return field;
}

StateField key_field(const Schema& schema, std::span<const uint32_t> columns) {
  StateField field = state_field("key", StateForm::kKey);
  for (const uint32_t column : columns) field.columns.push_back(schema.fields[column]);
  return field;
}

StateField row_field(std::string name, const Schema& schema) {
  StateField field = state_field(std::move(name), StateForm::kRow);
  field.columns = schema.fields;
  return field;
}

StateField value_field(std::string name, const TypePtr& type) {
  StateField field = state_field(name, StateForm::kRow);
  field.columns = {{std::move(name), type}};
  return field;
}

std::vector<StateField> aggregate_fields(const std::vector<AggregateCall>& calls,
                                         const std::vector<TypedExprPtr>& results, size_t first) {
  std::vector<StateField> fields;
  for (size_t i = 0; i < calls.size(); ++i) {
    const AggregateCall& call = calls[i];
    auto aggregate = std::make_shared<StateAggregate>();
    aggregate->function = call.name;
    aggregate->distinct = call.distinct;
    for (const TypedExprPtr& arg : call.args) aggregate->args.push_back(arg->type);
    aggregate->result = call.type;
    aggregate->text = call.text;
    aggregate->output = call.output;
    for (const StateField& before : fields) {
      if (before.aggregate->output == call.output) ++aggregate->number;
    }
    aggregate->whole = std::ranges::any_of(results, [&](const TypedExprPtr& result) {
      return result->kind == ExprKind::kColumn && result->column == first + i;
    });
    StateField field = state_field(call.output, StateForm::kAggregate);
    field.aggregate = std::move(aggregate);
    fields.push_back(std::move(field));
  }
  return fields;
}

std::vector<StateField> join_row_fields(const Schema& schema) {
  return {state_field("time", StateForm::kTime), state_field("matches", StateForm::kUint32),
          state_field("stored", StateForm::kTime), row_field("row", schema)};
}

}  // namespace millrace
