// Which columns of each source any step or sink reads, so that decoders skip the others. Works backwards over the bound
// graph; an operator that does not say what it reads counts as reading everything.
#pragma once

#include "plan/spec/spec_context.h"

namespace millrace {

/// Sets SourceColumn::used of all sources. NOT NULL columns stay used, because they are checked on input.
void mark_used_columns(SpecContext& context);

}  // namespace millrace
