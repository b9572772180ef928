// `settings:` of the job file.
#pragma once

#include "plan/spec/spec_context.h"

namespace millrace {

/// Fills context.graph.settings; defaults where nothing is written.
void read_settings(SpecContext& context, const Located* settings);

}  // namespace millrace
