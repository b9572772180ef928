// Binding of `window:`, `aggregate:` and `having:`; planning only.
#pragma once

#include "plan/registry.h"
#include "runtime/operators/window/config.h"

namespace millrace {

/// The fields of `window:`, for the binder and the documentation.
std::vector<OptionDescriptor> window_spec_fields();

/// The mapping under `window:`; nothing after reporting.
std::optional<WindowSpec> bind_window_spec(const BindContext& context, const Located& tree, std::string& late_output);

/// `aggregate:` entries and `having:` into calls, results and the output schema, which starts with the keys and the
/// window's bounds. False after reporting.
bool bind_window_aggregates(const BindContext& context, const Located& aggregate, const Located& having,
                            WindowConfig& config);

/// Columns of the input that keys, arguments and filters read.
std::vector<uint32_t> window_reads(const WindowConfig& config);

std::optional<BoundOperator> bind_window(const BindContext& context);

}  // namespace millrace
