// Puts the partial steps that operators offer (BoundOperator::partial) in front of their exchanges, so that a hot key
// does not send all of its rows to one subtask.
#pragma once

#include "plan/spec/spec_context.h"

namespace millrace {

/// The last change of the graph: node numbers are others afterwards, and what SpecContext keeps per node is stale.
void insert_partial_steps(SpecContext& context);

}  // namespace millrace
