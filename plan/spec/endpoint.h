// What sources and sinks have in common: connector options with secrets, formats, parallelism.
#pragma once

#include "plan/option_reader.h"
#include "plan/spec/fields.h"
#include "plan/spec/spec_context.h"

namespace millrace {

/// A source's or sink's mapping with the fields of `secrets:` filled in from their files or variables; secret fields
/// that stand in the file as plain text are refused.
Located with_secrets(SpecContext& context, const Located& map, const ConnectorDescriptor& connector);

/// `format:` as a name or a mapping; nothing when it cannot be used.
std::optional<FormatConfig> read_format(SpecContext& context, const OptionValues& common, bool decode,
                                        const std::string& place);

/// The written parallelism, limited by the connector, else `otherwise`.
uint32_t endpoint_parallelism(SpecContext& context, const OptionValues& common, const ConnectorDescriptor& connector,
                              uint32_t subtasks_max, uint32_t otherwise);

/// Reports a `parallelism:` above max_parallelism.
void check_parallelism(SpecContext& context, const OptionValues& common);

}  // namespace millrace
