#include "connectors/json/json_plan.h"

#include <algorithm>

namespace millrace {
namespace {

/// Columns under construction own their children alone.
Column& child_column(Column& column, size_t i) { return const_cast<Column&>(*column.children()[i]); }

constexpr uint32_t kElementsFirst = 16;

}  // namespace

JsonField& JsonObjectPlan::field(std::string_view name) {
  const int32_t index = find(name);
  if (index >= 0) return *fields[static_cast<size_t>(index)];
  fields.push_back(std::make_unique<JsonField>());
  fields.back()->name = std::string(name);
  by_name.emplace(fields.back()->name, static_cast<int32_t>(fields.size() - 1));
  return *fields.back();
}

Result<std::unique_ptr<JsonValuePlan>> JsonValuePlan::make(const TypePtr& type, std::string_view time_format,
                                                           std::string label) {
  auto plan = std::make_unique<JsonValuePlan>();
  MR_ASSIGN(plan->target, ColumnTarget::make(type, time_format));
  plan->nullable = type->nullable;
  if (type->kind == TypeKind::kArray) {
    MR_ASSIGN(plan->element, make(type->children[0], time_format, label));
  } else if (type->kind == TypeKind::kMap) {
    MR_ASSIGN(plan->key, make(type->children[0], "", label));
    MR_ASSIGN(plan->element, make(type->children[1], time_format, label));
  } else if (type->kind == TypeKind::kRow) {
    plan->row = std::make_unique<JsonObjectPlan>();
    for (size_t i = 0; i < type->children.size(); ++i) {
      MR_ASSIGN(auto child, make(type->children[i], time_format, label + "." + type->field_names[i]));
      plan->row->field(type->field_names[i]).values.push_back(std::move(child));
    }
  }
  plan->label = std::move(label);
  return plan;
}

void JsonValuePlan::attach(Column& column, uint32_t rows) {
  target.attach(column, rows);
  switch (target.conversion()) {
    case Conversion::kArray:
      element->attach(child_column(column, 0), kElementsFirst);
      break;
    case Conversion::kMap: {
      Column& entry = child_column(column, 0);
      key->attach(child_column(entry, 0), kElementsFirst);
      element->attach(child_column(entry, 1), kElementsFirst);
      break;
    }
    case Conversion::kRow:
      for (size_t i = 0; i < row->fields.size(); ++i) row->fields[i]->values[0]->attach(child_column(column, i), rows);
      break;
    default:
      break;
  }
}

void JsonValuePlan::reserve(uint32_t slot) {
  target.reserve(slot);
  if (row) {
    for (auto& field : row->fields) field->values[0]->reserve(slot);
  }
}

void JsonValuePlan::finish(uint32_t rows) {
  Column& column = target.column();
  column.resize(rows);
  switch (target.conversion()) {
    case Conversion::kArray:
      element->finish(column.offsets()[rows]);
      break;
    case Conversion::kMap:
      child_column(column, 0).resize(column.offsets()[rows]);
      key->finish(column.offsets()[rows]);
      element->finish(column.offsets()[rows]);
      break;
    case Conversion::kRow:
      for (auto& field : row->fields) field->values[0]->finish(rows);
      break;
    default:
      break;
  }
}

Result<std::unique_ptr<JsonObjectPlan>> make_json_plan(const std::vector<DecodeColumn>& columns,
                                                       std::vector<JsonValuePlan*>& roots) {
  auto plan = std::make_unique<JsonObjectPlan>();
  for (const DecodeColumn& column : columns) {
    const std::vector<std::string> path = column.path.empty() ? std::vector<std::string>{column.name} : column.path;
    JsonObjectPlan* object = plan.get();
    for (size_t i = 0; i + 1 < path.size(); ++i) {
      JsonField& field = object->field(path[i]);
      if (!field.below) field.below = std::make_unique<JsonObjectPlan>();
      object = field.below.get();
    }
    MR_ASSIGN(auto value, JsonValuePlan::make(column.type, column.time_format, column.name));
    roots.push_back(value.get());
    object->field(path.back()).values.push_back(std::move(value));
  }
  return plan;
}

}  // namespace millrace
