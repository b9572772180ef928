// `params:`: typed job parameters from their defaults and `--param name=value`.
#pragma once

#include <expected>

#include "plan/spec/spec_context.h"

namespace millrace {

/// Fills context.parameters and context.substitutions.params, and writes the values in force into the tree as defaults,
/// so that a resolved file needs no `--param`.
void read_params(SpecContext& context, Located* params);

/// The value of `text` in a scalar type; a message when it is none. TIMESTAMP texts are SQL texts.
std::expected<Literal, std::string> parse_literal(std::string_view text, const DataType& type);

}  // namespace millrace
