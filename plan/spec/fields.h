// The fixed part of the job file's field registry: what every job, source, step, sink and test has, whatever its type.
// Connectors, formats and operators describe the rest (plan/registry.h). The reader, the JSON Schema and the reference
// page are all made from these lists.
#pragma once

#include <span>
#include <string_view>
#include <vector>

#include "plan/options.h"

namespace millrace {

using OptionList = std::vector<OptionDescriptor>;

const OptionList& job_fields();
const OptionList& param_fields();
const OptionList& settings_fields();
const OptionList& checkpoint_fields();
const OptionList& state_fields();
/// Of one strategy: "none", "fixed", "failure_rate", "exponential"; `strategy` among them.
const OptionList& restart_fields(std::string_view strategy);
const OptionList& source_fields();
const OptionList& event_time_fields();
const OptionList& step_fields();
const OptionList& was_fields();
const OptionList& sink_fields();
const OptionList& test_fields();
/// Beside a format's own options: `type`, and for sources `bad_record`.
const OptionList& source_format_fields();
const OptionList& sink_format_fields();

/// Names of the job file's contract that this build cannot run yet; they are refused with E0207.
std::span<const std::string_view> future_operators();
std::span<const std::string_view> future_connectors();
std::span<const std::string_view> future_formats();

}  // namespace millrace
