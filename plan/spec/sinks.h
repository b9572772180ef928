// `sinks:` of the job file: inputs, formats, delivery, and whether the connector can take the kind of stream it gets.
#pragma once

#include "plan/spec/spec_context.h"

namespace millrace {

void read_sinks(SpecContext& context, const Located& sinks);

std::string_view delivery_name(Delivery delivery);

}  // namespace millrace
