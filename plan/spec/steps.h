// `steps:` of the job file: finds each step's operator by the key it has, reads its fields through the operator's
// descriptors, binds it to the columns of its inputs and decides how rows are exchanged.
#pragma once

#include "plan/spec/spec_context.h"

namespace millrace {

/// The id of a step: as written, else `<operator>_<position>`; declared before any step is read.
std::string step_id(const SpecContext& context, const Located& step, size_t index);

void read_steps(SpecContext& context, const Located& steps);

/// How rows reach a reader whose parallelism may differ: an updating stream keeps the order of each key.
NodeInput forward_input(const SpecContext& context, InputRef from, uint32_t parallelism);

}  // namespace millrace
