// `sources:` of the job file.
#pragma once

#include "plan/spec/spec_context.h"

namespace millrace {

void read_sources(SpecContext& context, const Located& sources);

}  // namespace millrace
