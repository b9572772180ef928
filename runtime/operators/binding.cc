#include "runtime/operators/binding.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/nearest.h"

namespace millrace {

Scope input_scope(const BindContext& context, size_t input) {
  Scope scope = Scope::of(*context.inputs[input].schema);
  if (context.parameters != nullptr) scope.parameters = *context.parameters;
  return scope;
}

namespace {

bool is_expression_text(const BindContext& context, const Located& text) {
  if (text.is_scalar()) return true;
  context.diagnostics->error(ErrorCode::kWrongShape, text.position, "an expression is needed here");
  return false;
}

}  // namespace

TypedExprPtr bind_expression(const BindContext& context, const Located& text, const Scope& scope) {
  if (!is_expression_text(context, text)) return nullptr;
  auto typed = compile_expression(text.text, scope, *context.functions);
  if (typed) return *typed;
  context.diagnostics->expression(text, typed.error());
  return nullptr;
}

TypedExprPtr bind_predicate(const BindContext& context, const Located& text, const Scope& scope) {
  if (!is_expression_text(context, text)) return nullptr;
  auto typed = compile_predicate(text.text, scope, *context.functions);
  if (typed) return *typed;
  context.diagnostics->expression(text, typed.error());
  return nullptr;
}

std::optional<uint32_t> bind_column(const BindContext& context, const Schema& schema, const std::string& name,
                                    const Located& at) {
  if (auto found = schema.find(name)) return static_cast<uint32_t>(*found);
  std::vector<std::string_view> names;
  for (const Field& field : schema.fields) names.push_back(field.name);
  const std::string near = nearest_name(name, names);
  context.diagnostics->error(ErrorCode::kUnknownColumn, at.position, fmt::format("unknown column `{}`", name),
                             near.empty() ? "" : fmt::format("a column with a similar name exists: `{}`", near),
                             static_cast<int>(std::max<size_t>(1, name.size())));
  return std::nullopt;
}

std::optional<std::vector<uint32_t>> bind_keys(const BindContext& context) {
  const Located* place = context.step_yaml != nullptr ? context.step_yaml->find("key_by") : nullptr;
  std::vector<uint32_t> keys;
  bool ok = true;
  for (size_t i = 0; i < context.key_by.size(); ++i) {
    const Located& at = place != nullptr && i < place->items.size() ? place->items[i]
                        : place != nullptr                          ? *place
                                                                    : Located{};
    const auto column = bind_column(context, *context.inputs[0].schema, context.key_by[i], at);
    ok = ok && column;
    if (column) keys.push_back(*column);
  }
  if (!ok) return std::nullopt;
  return keys;
}

namespace {

/// The names of a list or of a single text.
std::vector<const Located*> name_items(const Located& value) {
  std::vector<const Located*> items;
  if (value.is_scalar()) items.push_back(&value);
  for (const Located& item : value.items) items.push_back(&item);
  return items;
}

}  // namespace

std::optional<std::vector<uint32_t>> bind_kept(const BindContext& context, const Schema& schema, const Located* keep,
                                               const Located* drop) {
  std::vector<uint32_t> kept;
  bool ok = true;
  const bool all =
      (keep != nullptr && keep->is_scalar() && keep->text == "all") || (keep == nullptr && drop != nullptr);
  if (all) {
    for (uint32_t i = 0; i < schema.size(); ++i) kept.push_back(i);
  } else if (keep != nullptr) {
    for (const Located* item : name_items(*keep)) {
      const auto column = bind_column(context, schema, item->text, *item);
      ok = ok && column;
      if (column) kept.push_back(*column);
    }
  }
  if (drop != nullptr) {
    for (const Located* item : name_items(*drop)) {
      const auto column = bind_column(context, schema, item->text, *item);
      ok = ok && column;
      if (column) std::erase(kept, *column);
    }
  }
  if (!ok) return std::nullopt;
  return kept;
}

bool add_output_field(const BindContext& context, Schema& schema, const std::string& name, const TypePtr& type,
                      Position at) {
  if (schema.find(name)) {
    context.diagnostics->error(ErrorCode::kDuplicateName, at, fmt::format("column `{}` would exist twice", name), "",
                               static_cast<int>(name.size()));
    return false;
  }
  schema.fields.push_back({name, type});
  return true;
}

bool require_append(const BindContext& context, std::string_view operator_name) {
  for (const BindInput& input : context.inputs) {
    if (input.changelog == Changelog::kAppend) continue;
    context.diagnostics->error(ErrorCode::kNotSupportedYet,
                               context.step_yaml != nullptr ? context.step_yaml->position : Position{},
                               fmt::format("{} cannot read `{}`, whose rows are updated", operator_name, input.name),
                               "read it before the updating step");
    return false;
  }
  return true;
}

std::vector<uint32_t> read_columns(std::span<const TypedExprPtr> expressions) {
  std::vector<uint32_t> columns;
  for (const TypedExprPtr& expression : expressions) {
    if (expression) collect_columns(*expression, columns);
  }
  return columns;
}

std::function<std::vector<const Located*>(const Located& step)> inputs_named_in(std::string operator_key,
                                                                                std::vector<std::string> fields) {
  return [operator_key = std::move(operator_key), fields = std::move(fields)](const Located& step) {
    std::vector<const Located*> names;
    const Located* tree = step.find(operator_key);
    for (const std::string& field : fields) {
      const Located* name = tree == nullptr ? nullptr : tree->find(field);
      if (name != nullptr && name->is_scalar()) names.push_back(name);
    }
    return names;
  };
}

int32_t find_port(const Node& node, std::string_view name) {
  for (size_t i = 0; i < node.outputs.size(); ++i) {
    if (node.outputs[i].name == name) return static_cast<int32_t>(i);
  }
  return -1;
}

}  // namespace millrace
