// What the bind() functions of operators share: scopes of inputs, expressions and columns with their diagnostics,
// ports. Planning only; pure functions of their arguments.
#pragma once

#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "plan/registry.h"

namespace millrace {

/// Columns of one input, and the job's parameters.
Scope input_scope(const BindContext& context, size_t input = 0);

/// nullptr after reporting what is wrong.
TypedExprPtr bind_expression(const BindContext& context, const Located& text, const Scope& scope);
TypedExprPtr bind_predicate(const BindContext& context, const Located& text, const Scope& scope);

/// Index of a column of `schema`; nothing after reporting an unknown column (with the nearest name) at `at`.
std::optional<uint32_t> bind_column(const BindContext& context, const Schema& schema, const std::string& name,
                                    const Located& at);
/// The step's key columns; nothing after reporting.
std::optional<std::vector<uint32_t>> bind_keys(const BindContext& context);

/// `keep:` and `drop:` as column indexes in order; without keep none. Nothing after reporting.
std::optional<std::vector<uint32_t>> bind_kept(const BindContext& context, const Schema& schema, const Located* keep,
                                               const Located* drop);

/// Adds a field; reports a name that is already there.
bool add_output_field(const BindContext& context, Schema& schema, const std::string& name, const TypePtr& type,
                      Position at);

/// Reports and refuses an input that takes rows back (updates, deletions).
bool require_append(const BindContext& context, std::string_view operator_name);

/// The columns that these expressions read, without repetition; null pointers are skipped.
std::vector<uint32_t> read_columns(std::span<const TypedExprPtr> expressions);

/// OperatorDescriptor::inputs of an operator that names its inputs in these fields of its own tree.
std::function<std::vector<const Located*>(const Located& step)> inputs_named_in(std::string operator_key,
                                                                                std::vector<std::string> fields);

/// Number of the port with this name; -1 when the node has none.
int32_t find_port(const Node& node, std::string_view name);

}  // namespace millrace
