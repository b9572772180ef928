// Makes the `kafka` source and sink known.
#pragma once

namespace millrace {

struct Registry;

void register_kafka(Registry& registry);

}  // namespace millrace
